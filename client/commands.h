/* The commands, one a file. Each is given its words and options checked for number and kind; it
 * returns the exit status and has said on standard error why it is not 0. */
#ifndef TALLY_CLIENT_COMMANDS_H
#define TALLY_CLIENT_COMMANDS_H

#include "client/client.h"

enum exit_status cmd_apply(struct client *client);
enum exit_status cmd_unit_add(struct client *client);
enum exit_status cmd_unit_import(struct client *client);
enum exit_status cmd_unit_list(struct client *client);
enum exit_status cmd_invite(struct client *client);
enum exit_status cmd_reissue(struct client *client);
enum exit_status cmd_record(struct client *client);
enum exit_status cmd_import(struct client *client);
enum exit_status cmd_amend(struct client *client);
enum exit_status cmd_void(struct client *client);
enum exit_status cmd_total(struct client *client);
enum exit_status cmd_missing(struct client *client);
enum exit_status cmd_report(struct client *client);
enum exit_status cmd_watch(struct client *client);
enum exit_status cmd_log(struct client *client);
enum exit_status cmd_status(struct client *client);
enum exit_status cmd_tree(struct client *client);
enum exit_status cmd_verify(struct client *client);
enum exit_status cmd_backup(struct client *client);
enum exit_status cmd_bundle_write(struct client *client);
enum exit_status cmd_bundle_read(struct client *client);

#endif
