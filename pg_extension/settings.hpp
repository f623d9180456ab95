// The extension's settings (GUCs), all of them in one table in settings.cpp.
#pragma once

namespace fanout::settings {

extern char* socket_directory;  // "" = the first entry of unix_socket_directories
extern char* socket_group;      // "" = the server's own group
extern char* allowed_users;     // "" = the server's own user and root
extern int attach_timeout_seconds;
extern int decoding_work_mem_kilobytes;

/// Called once by _PG_init.
void define();

}  // namespace fanout::settings
