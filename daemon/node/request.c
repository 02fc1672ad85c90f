/* What all requests have in common: a reply, a refusal, who may ask. */
#include <stdarg.h>
#include <stdio.h>

#include "node/internal.h"

struct msg_reply *request_reply(struct node *node, const struct request *request)
{
    struct message *message = node_message(node, MESSAGE_REPLY);
    struct effect *effect =
        message == NULL ? NULL : node_emit(node, EFFECT_REPLY, request->client->id);
    if (effect == NULL) {
        return NULL;
    }
    effect->message = message;
    message->u.reply.id = request->msg->id;
    message->u.reply.type = request->msg->type;
    message->u.reply.text = "";
    if (request->msg->type == REQUEST_INVITE) {
        message->u.reply.u.invite.token = "";
    }
    return &message->u.reply;
}

void request_refuse(struct node *node, const struct request *request, enum err err, const char *fmt,
                    ...)
{
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct msg_reply *reply = request_reply(node, request);
    if (reply != NULL) {
        reply->err = err;
        reply->text = arena_str(&node->arena, text);
        reply->text = reply->text == NULL ? "" : reply->text;
    }
}

bool request_is_refusal(enum err err)
{
    return err == ERR_REFUSED || err == ERR_USAGE || err == ERR_INVALID;
}

bool request_may(struct node *node, const struct request *request, enum node_role role)
{
    if (request->client->role >= role) {
        return true;
    }
    request_refuse(node, request, ERR_REFUSED, "%s",
                   role == NODE_ROLE_ADMIN
                       ? "this needs the role admin: be root or the user that runs tallyd, or show "
                         "an admin certificate (--node)"
                       : "this needs the role recorder; show a certificate that has it (--node)");
    return false;
}
