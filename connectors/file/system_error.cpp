#include "file/system_error.hpp"

#include <cerrno>
#include <cstring>

#include "fanout/connector/connector.hpp"

namespace fanout::file_target {
namespace {

struct Rule {
    int error;
    fanout_outcome outcome;
    const char* hint;
};

constexpr Rule kRules[] = {
    {ENOSPC, FANOUT_RETRY, "the disk is full: free space on it; nothing is lost meanwhile"},
    {EDQUOT, FANOUT_RETRY, "the disk quota is used up: raise it or free space"},
    {EIO, FANOUT_RETRY,
     "the disk reported an error: look at the kernel log; the file is "
     "re-opened and cut back to its checkpoint before anything is repeated"},
    {ENOENT, FANOUT_FATAL, "create the directory; it must be writable for the user of fanoutd"},
    {ENOTDIR, FANOUT_FATAL, "a part of the path is not a directory: correct the option path"},
    {EACCES, FANOUT_FATAL, "give the user of fanoutd the right to write there"},
    {EPERM, FANOUT_FATAL, "give the user of fanoutd the right to write there"},
    {EROFS, FANOUT_FATAL, "the file system is mounted read-only"},
    {EISDIR, FANOUT_FATAL, "the option path names a directory: name a file"},
    {ELOOP, FANOUT_FATAL, "the path is a symbolic link: name the file itself"},
    {EFBIG, FANOUT_FATAL,
     "the file has reached the largest size its file system or the "
     "process limit allows: name a new file"},
};

}  // namespace

void throw_system_error(const std::string& doing, const std::string& path, int error) {
    const std::string message = "cannot " + doing + " \"" + path + "\": " + std::strerror(error);
    for (const Rule& rule : kRules)
        if (rule.error == error) throw connector::ConnectorError(rule.outcome, message, rule.hint);
    throw connector::ConnectorError(FANOUT_RETRY, message);
}

}  // namespace fanout::file_target
