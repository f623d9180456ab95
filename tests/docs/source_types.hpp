// The types a column of the source may have, by the OIDs PostgreSQL has given them for good. Only
// for those who have to name them all: the documentation and the tests. Types without an OID of
// their own (user-defined, of extensions, arrays) are carried in their text form.
#pragma once

#include <string_view>

#include "fanout/base/ids.hpp"

namespace fanout::docs_test {

struct SourceType {
    Oid32 oid;
    std::string_view name;
};

inline constexpr SourceType kSourceTypes[] = {
    {16, "boolean"},
    {21, "smallint"},
    {23, "integer"},
    {20, "bigint"},
    {700, "real"},
    {701, "double precision"},
    {1700, "numeric"},
    {790, "money"},
    {25, "text"},
    {1043, "varchar"},
    {1042, "char(n)"},
    {18, "\"char\""},
    {19, "name"},
    {17, "bytea"},
    {1560, "bit(n)"},
    {1562, "varbit"},
    {1082, "date"},
    {1083, "time"},
    {1266, "timetz"},
    {1114, "timestamp"},
    {1184, "timestamptz"},
    {1186, "interval"},
    {114, "json"},
    {3802, "jsonb"},
    {4072, "jsonpath"},
    {142, "xml"},
    {2950, "uuid"},
    {869, "inet"},
    {650, "cidr"},
    {829, "macaddr"},
    {774, "macaddr8"},
    {600, "point"},
    {601, "lseg"},
    {602, "path"},
    {603, "box"},
    {604, "polygon"},
    {628, "line"},
    {718, "circle"},
    {3614, "tsvector"},
    {3615, "tsquery"},
    {3904, "int4range"},
    {3926, "int8range"},
    {3906, "numrange"},
    {3908, "tsrange"},
    {3910, "tstzrange"},
    {3912, "daterange"},
    {4451, "int4multirange"},
    {4536, "int8multirange"},
    {4532, "nummultirange"},
    {4533, "tsmultirange"},
    {4534, "tstzmultirange"},
    {4535, "datemultirange"},
    {26, "oid"},
    {27, "tid"},
    {28, "xid"},
    {29, "cid"},
    {5069, "xid8"},
    {3220, "pg_lsn"},
    {5038, "pg_snapshot"},
    {2970, "txid_snapshot"},
    {24, "regproc"},
    {2202, "regprocedure"},
    {2203, "regoper"},
    {2204, "regoperator"},
    {2205, "regclass"},
    {2206, "regtype"},
    {3734, "regconfig"},
    {3769, "regdictionary"},
    {4089, "regnamespace"},
    {4096, "regrole"},
    {4191, "regcollation"},
    {1033, "aclitem"},
    {1790, "refcursor"},
    {194, "pg_node_tree"},
    {3361, "pg_ndistinct"},
    {3402, "pg_dependencies"},
    {5017, "pg_mcv_list"},
    {3642, "gtsvector"},
    {4600, "pg_brin_bloom_summary"},
    {4601, "pg_brin_minmax_multi_summary"},
};

}  // namespace fanout::docs_test
