# One set of warnings for GCC and Clang, all of them errors. fanout_warnings(target)
option(FANOUT_WARNINGS_AS_ERRORS "Stop at the first warning" ON)

function(fanout_warnings target)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wcast-align -Wunused -Woverloaded-virtual
        -Wformat=2 -Wimplicit-fallthrough -Wnull-dereference
        $<$<BOOL:${FANOUT_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()
