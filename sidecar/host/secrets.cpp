// One scan over the text, one reader per kind of reference.
#include "sidecar/host/secrets.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace fanout::host {
namespace {

/// The file's content without the line ends behind it, as editors leave them.
Result<std::string> read_secret_file(const std::string& path, const std::string& reference) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    if (!file || !(content << file.rdbuf()))
        return Status::fatal(reference + " cannot be read: " + path + ": " +
                             (errno != 0 ? std::strerror(errno) : "the file is empty"));
    std::string text = content.str();
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
        text.pop_back();
    return text;
}

Result<std::string> resolve_one(const std::string& body) {
    const std::string reference = "${" + body + "}";
    const auto colon = body.find(':');
    const std::string kind = body.substr(0, colon);
    const std::string name = colon == std::string::npos ? "" : body.substr(colon + 1);
    if (name.empty() || (kind != "env" && kind != "file" && kind != "credential"))
        return Status::fatal(reference +
                             " is not a reference; write ${env:NAME}, ${file:/path} or "
                             "${credential:name} (\"$${\" for a literal \"${\")");
    if (kind == "file") return read_secret_file(name, reference);
    if (kind == "env") {
        const char* value = std::getenv(name.c_str());
        if (value == nullptr)
            return Status::fatal(reference + ": the environment of fanoutd has no variable " +
                                 name + "; set it where the service is started and restart it");
        return std::string(value);
    }
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr)
        return Status::fatal(reference +
                             ": fanoutd was started without credentials; add "
                             "LoadCredential= to its systemd unit");
    if (name.find('/') != std::string::npos)
        return Status::fatal(reference + ": a credential's name has no slash");
    return read_secret_file(std::string(directory) + "/" + name, reference);
}

}  // namespace

Result<std::string> resolve_references(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        if (text.substr(i, 3) == "$${") {
            out += "${";
            i += 3;
        } else if (text.substr(i, 2) == "${") {
            const auto end = text.find('}', i);
            if (end == std::string_view::npos)
                return Status::fatal("a reference that begins with \"${\" has no \"}\"");
            auto value = resolve_one(std::string(text.substr(i + 2, end - i - 2)));
            if (!value.is_ok()) return value.status();
            out += value.value();
            i = end + 1;
        } else {
            out += text[i++];
        }
    }
    return out;
}

bool is_reference(std::string_view text) {
    return text.starts_with("${") && text.find('}') == text.size() - 1;
}

}  // namespace fanout::host
