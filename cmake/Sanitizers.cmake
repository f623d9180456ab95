# FANOUT_SANITIZE=address|thread|undefined instruments every target that asks for it.
# The extension never does: it lives in a server that is not instrumented.
function(fanout_sanitize target)
    if(FANOUT_SANITIZE)
        target_compile_options(${target} PRIVATE
            -fsanitize=${FANOUT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
        target_link_options(${target} PRIVATE -fsanitize=${FANOUT_SANITIZE})
    endif()
    # TSan does not know fences, and GCC says so. Ours stand between atomics only, as the way to a
    # sleeper's flag: no plain byte is published by one, so nothing is seen as a race that is none.
    if(FANOUT_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        target_compile_options(${target} PRIVATE -Wno-tsan)
    endif()
endfunction()
