// LSNs as records know them.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout {

/// pg_current_wal_insert_lsn() may point behind the header of a page that has no record yet, a
/// place that the end of no record ever equals: that page's start then, else `lsn`.
inline XLogRecPtr lsn_of_page_start(XLogRecPtr lsn) {
    const uint64 in_segment = XLogSegmentOffset(lsn, wal_segment_size);
    if (in_segment == SizeOfXLogLongPHD) return lsn - SizeOfXLogLongPHD;
    if (in_segment > XLOG_BLCKSZ && lsn % XLOG_BLCKSZ == SizeOfXLogShortPHD)
        return lsn - SizeOfXLogShortPHD;
    return lsn;
}

}  // namespace fanout
