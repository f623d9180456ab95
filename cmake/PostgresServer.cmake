# Where PostgreSQL's server headers and installation directories are, asked from pg_config.
# Sets POSTGRES_SERVER_INCLUDE_DIRS, POSTGRES_PKGLIBDIR, POSTGRES_SHAREDIR, POSTGRES_BINDIR.
find_program(PG_CONFIG NAMES pg_config
    HINTS /usr/lib/postgresql/18/bin /usr/lib/postgresql/17/bin /usr/lib/postgresql/16/bin
          /usr/lib/postgresql/15/bin /usr/lib/postgresql/14/bin /usr/lib/postgresql/13/bin
    DOC "pg_config of the PostgreSQL to build for")
if(NOT PG_CONFIG)
    message(FATAL_ERROR "pg_config was not found: install postgresql-server-dev-15, "
                        "or set PG_CONFIG, or configure with -DFANOUT_BUILD_EXTENSION=OFF")
endif()

function(_fanout_pg_config variable option)
    execute_process(COMMAND ${PG_CONFIG} ${option} OUTPUT_VARIABLE value
                    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    set(${variable} ${value} PARENT_SCOPE)
endfunction()

_fanout_pg_config(POSTGRES_SERVER_INCLUDE_DIRS --includedir-server)
_fanout_pg_config(POSTGRES_PKGLIBDIR --pkglibdir)
_fanout_pg_config(POSTGRES_SHAREDIR --sharedir)
_fanout_pg_config(POSTGRES_BINDIR --bindir)
if(NOT EXISTS ${POSTGRES_SERVER_INCLUDE_DIRS}/postgres.h)
    message(FATAL_ERROR "${PG_CONFIG} belongs to a PostgreSQL without server headers: "
                        "install postgresql-server-dev of its version")
endif()
