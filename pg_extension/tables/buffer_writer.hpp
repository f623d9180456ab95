// Fields of the wire format into a StringInfo, for bodies that are kept.
#pragma once

#include "pg_extension/pg.hpp"
//
#include "fanout/wire/record_writer.hpp"

namespace fanout::plugin {

class BufferWriter : public wire::FieldWriter<BufferWriter> {
  public:
    explicit BufferWriter(StringInfo out) : out_(out) {}

    void put_bytes(const void* data, Size size) {
        appendBinaryStringInfo(out_, static_cast<const char*>(data), static_cast<int>(size));
    }

    /// Only a text over 64 KiB gets here, and no identifier is that long.
    [[noreturn]] void overflow() {
        elog(ERROR, "a name is too long for the wire format");
        pg_unreachable();
    }

  private:
    StringInfo out_;
};

}  // namespace fanout::plugin
