#include "file/tests/faulty_system.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace {

using fanout::file_target::FaultySystem;

/// Errors may come again and again from the n-th call on, as those of a disk do.
FaultySystem::Fault due() {
    const auto fault = FaultySystem::fault.load();
    if (fault == FaultySystem::Fault::none || --FaultySystem::calls_left >= 0)
        return FaultySystem::Fault::none;
    if (fault == FaultySystem::Fault::crash) ::_exit(42);
    return fault;
}

template <typename... Arguments>
int call(long number, Arguments... arguments) {
    if (due() != FaultySystem::Fault::none) {
        errno = FaultySystem::error;
        return -1;
    }
    return static_cast<int>(::syscall(number, arguments...));
}

}  // namespace

// The program's definitions come before the C library's.
extern "C" {

ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
    const auto fault = due();
    if (fault == FaultySystem::Fault::error ||
        (fault == FaultySystem::Fault::short_write && size < 2)) {
        errno = FaultySystem::error;
        return -1;
    }
    if (fault == FaultySystem::Fault::short_write) size /= 2;
    return ::syscall(SYS_pwrite64, file, bytes, size, at);
}

int fsync(int file) {
    return call(SYS_fsync, file);
}

int fdatasync(int file) {
    ++FaultySystem::data_syncs;
    return call(SYS_fdatasync, file);
}

int ftruncate(int file, off_t size) noexcept {
    return call(SYS_ftruncate, file, size);
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to,
              unsigned flags) noexcept {
    return call(SYS_renameat2, from_directory, from, to_directory, to, flags);
}

int rename(const char* from, const char* to) noexcept {
    return call(SYS_rename, from, to);
}
}
