# One set of warnings for GCC and Clang, all of them errors. fanout_warnings(target)
option(FANOUT_WARNINGS_AS_ERRORS "Stop at the first warning" ON)

function(fanout_warnings target)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wcast-align -Wunused -Woverloaded-virtual
        -Wformat=2 -Wimplicit-fallthrough -Wnull-dereference
        # GCC 12 sees overlaps in its own std::string at -O3 that are not there (GCC bug 105651).
        $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-restrict>
        $<$<BOOL:${FANOUT_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()
