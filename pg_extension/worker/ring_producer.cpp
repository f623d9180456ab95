// The slow path: the ring is full.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/worker/ring_producer.hpp"

namespace fanout::worker {

void RingProducer::wait_for_room(uint64 size) {
    using Room = ring::RingWriter::Room;
    publish();
    FANOUT_FAULT_HERE("worker.ring_full");
    for (;;) {
        Room room = writer_.room(size);
        if (room == Room::full) {
            writer_.announce_wait();
            room = writer_.room(size);
        }
        if (room == Room::yes) break;
        if (room == Room::lie) {
            ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
                            errmsg("fanoutd wrote an impossible position into the ring"),
                            errdetail("Its tail is not between the last one and the head.")));
        }
        wait_on_link(link_, -1);
    }
    writer_.end_wait();
}

}  // namespace fanout::worker
