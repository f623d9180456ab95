# FANOUT_SANITIZE=address|thread|undefined instruments every target that asks for it.
# The extension never does: it lives in a server that is not instrumented.
function(fanout_sanitize target)
    if(FANOUT_SANITIZE)
        target_compile_options(${target} PRIVATE
            -fsanitize=${FANOUT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
        target_link_options(${target} PRIVATE -fsanitize=${FANOUT_SANITIZE})
    endif()
endfunction()
