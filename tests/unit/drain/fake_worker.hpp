// A decoding worker without a server: two sealed memfds, two eventfds, a socket pair.
#pragma once

#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <new>
#include <string>

#include "fanout/ring/handshake.hpp"
#include "fanout/ring/ring_writer.hpp"
#include "sidecar/drain/drain.hpp"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace fanout::testing {

/// The producer's side of a ring over memfds, mapped twice in a row.
class ProducerSegment {
  public:
    explicit ProducerSegment(std::uint32_t epoch, std::uint64_t capacity = ring::kCapacityMin,
                             std::uint64_t start = 0)
        : capacity_(capacity) {
        data_fd = ::memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        ack_fd = ::memfd_create("ack", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        const std::size_t once = ring::kHeaderBytes + capacity;
        if (::ftruncate(data_fd, static_cast<off_t>(once)) != 0 ||
            ::ftruncate(ack_fd, ring::kAckBytes) != 0) {
            ::abort();
        }
        base_ = static_cast<std::uint8_t*>(
            ::mmap(nullptr, once + capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        const int access = PROT_READ | PROT_WRITE;
        ::mmap(base_, once, access, MAP_SHARED | MAP_FIXED, data_fd, 0);
        ::mmap(base_ + once, capacity, access, MAP_SHARED | MAP_FIXED, data_fd, ring::kHeaderBytes);
        header = new (base_) ring::DataHeader{};
        header->magic = ring::kDataMagic;
        header->version = ring::kRingVersion;
        header->epoch = epoch;
        header->capacity = capacity;
        header->head = start;
        ack =
            new (::mmap(nullptr, ring::kAckBytes, access, MAP_SHARED, ack_fd, 0)) ring::AckHeader{};
        ack->magic = ring::kAckMagic;
        ack->version = ring::kRingVersion;
        ack->epoch = epoch;
        ack->tail = start;
    }
    ~ProducerSegment() {
        ::munmap(base_, ring::kHeaderBytes + 2 * capacity_);
        ::munmap(ack, ring::kAckBytes);
        ::close(data_fd);
        ::close(ack_fd);
    }
    ProducerSegment(const ProducerSegment&) = delete;
    ProducerSegment& operator=(const ProducerSegment&) = delete;

    void seal() const {
        const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
        ::fcntl(data_fd, F_ADD_SEALS, seals | F_SEAL_FUTURE_WRITE);
        ::fcntl(ack_fd, F_ADD_SEALS, seals);
    }
    std::uint8_t* data() const { return base_ + ring::kHeaderBytes; }

    int data_fd = -1;
    int ack_fd = -1;
    ring::DataHeader* header = nullptr;
    ring::AckHeader* ack = nullptr;

  private:
    std::uint8_t* base_ = nullptr;
    std::uint64_t capacity_;
};

inline const std::string kSampleToken = std::string(ring::kTokenBytes, 't');

class FakeWorker {
  public:
    explicit FakeWorker(std::uint32_t epoch, Lsn start_lsn,
                        std::uint64_t capacity = ring::kCapacityMin)
        : segment(epoch, capacity),
          writer(segment.header, segment.ack, segment.data()),
          epoch_(epoch),
          capacity_(capacity),
          start_lsn_(start_lsn) {
        segment.seal();
        std::array<int, 2> pair{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) ::abort();
        socket = pair[0];
        client_socket = pair[1];
        data_ready = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        space_ready = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    ~FakeWorker() {
        leave();
        if (client_socket >= 0) ::close(client_socket);
        ::close(data_ready);
        ::close(space_ready);
    }
    FakeWorker(const FakeWorker&) = delete;
    FakeWorker& operator=(const FakeWorker&) = delete;

    ring::Welcome welcome() const {
        ring::Welcome packet{};
        packet.magic = ring::kWelcomeMagic;
        packet.version = ring::kProtocolVersion;
        packet.epoch = epoch_;
        packet.capacity = capacity_;
        packet.start_lsn = start_lsn_;
        return packet;
    }

    /// Sends `packet` with `count` descriptors.
    void send(const void* packet, std::size_t size, int count) const {
        std::array<int, 8> fds{segment.data_fd, segment.ack_fd, data_ready, space_ready,
                               data_ready,      data_ready,     data_ready, data_ready};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> control{};
        iovec part{const_cast<void*>(packet), size};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (count > 0) {
            message.msg_control = control.data();
            message.msg_controllen = CMSG_SPACE(static_cast<std::size_t>(count) * sizeof(int));
            cmsghdr* head = CMSG_FIRSTHDR(&message);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(static_cast<std::size_t>(count) * sizeof(int));
            std::memcpy(CMSG_DATA(head), fds.data(), static_cast<std::size_t>(count) * sizeof(int));
        }
        if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) ::abort();
    }

    Result<drain::WorkerConnection> connect() {
        const auto packet = welcome();
        send(&packet, sizeof packet, ring::kDescriptorCount);
        return greet();
    }
    Result<drain::WorkerConnection> greet() {
        journal::FileDescriptor mine(std::exchange(client_socket, -1));
        return drain::WorkerConnection::greet(std::move(mine), kSampleToken,
                                              std::chrono::milliseconds(200));
    }

    /// Puts whole records into the ring, waiting for room as a worker does; false if the consumer
    /// lied or gave no room for `patience`.
    bool produce(std::span<const std::uint8_t> bytes,
                 std::chrono::milliseconds patience = std::chrono::seconds(10)) {
        while (!bytes.empty()) {
            std::uint32_t length = 0;
            std::memcpy(&length, bytes.data(), sizeof length);
            if (!wait_for_room(length, patience)) return false;
            std::memcpy(writer.claim(), bytes.data(), length);
            writer.commit(length);
            bytes = bytes.subspan(length);
        }
        publish();
        return true;
    }

    void publish() {
        if (writer.publish()) ring_bell();
    }
    void ring_bell() const {
        const std::uint64_t one = 1;
        (void)!::write(data_ready, &one, sizeof one);
    }

    /// Waits until the acknowledged LSN is `lsn`; what it is in the end.
    Lsn acknowledged(Lsn lsn) const {
        for (int i = 0; i < 1000; ++i) {
            if (segment.ack->durable_lsn.load() == lsn) break;
            pollfd entry{space_ready, POLLIN, 0};
            ::poll(&entry, 1, 10);
            std::uint64_t rings = 0;
            (void)!::read(space_ready, &rings, sizeof rings);
        }
        return segment.ack->durable_lsn.load();
    }

    void say_farewell(const char* sqlstate, const char* text) const {
        ring::Farewell packet{};
        packet.magic = ring::kFarewellMagic;
        std::strncpy(packet.sqlstate, sqlstate, sizeof packet.sqlstate - 1);
        std::strncpy(packet.text, text, sizeof packet.text - 1);
        send(&packet, sizeof packet, 0);
    }
    void leave() {
        if (socket >= 0) ::close(socket);
        socket = -1;
    }

    ProducerSegment segment;
    ring::RingWriter writer;
    int socket = -1;
    int client_socket = -1;
    int data_ready = -1;
    int space_ready = -1;

  private:
    bool wait_for_room(std::uint64_t size, std::chrono::milliseconds patience) {
        using Room = ring::RingWriter::Room;
        Room room = writer.room(size);
        while (room == Room::full) {
            publish();
            writer.announce_wait();
            room = writer.room(size);
            if (room != Room::full) break;
            pollfd entry{space_ready, POLLIN, 0};
            if (::poll(&entry, 1, static_cast<int>(patience.count())) <= 0) break;
            std::uint64_t rings = 0;
            (void)!::read(space_ready, &rings, sizeof rings);
            room = writer.room(size);
        }
        writer.end_wait();
        return room == Room::yes;
    }

    std::uint32_t epoch_;
    std::uint64_t capacity_;
    Lsn start_lsn_;
};

}  // namespace fanout::testing
