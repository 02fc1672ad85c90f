#include <string.h>

#include "base/text.h"
#include "proto/address.h"

static enum err fail_form(const char *text, struct errmsg *msg)
{
    return err_fail(msg, ERR_USAGE,
                    "\"%.128s\" is no address; write HOST:PORT or [IPV6]:PORT, like "
                    "tally.example.org:7800 or [::1]:7800",
                    text);
}

static bool port_parse(const char *text, int *out)
{
    size_t len = strlen(text);
    int port = 0;
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        port = port * 10 + (text[i] - '0');
    }
    *out = port;
    return port >= 1 && port <= 65535;
}

enum err address_parse(const char *text, char host[ADDRESS_MAX_BYTES + 1], int *port,
                       struct errmsg *msg)
{
    size_t len = strlen(text);
    const char *colon = strrchr(text, ':');
    if (len > ADDRESS_MAX_BYTES || colon == NULL || !text_is_clean(text, len, false)) {
        return fail_form(text, msg);
    }
    const char *from = text;
    size_t host_len = (size_t)(colon - text);
    bool bracketed = text[0] == '[';
    if (bracketed) {
        if (host_len < 3 || colon[-1] != ']') {
            return fail_form(text, msg);
        }
        from = text + 1;
        host_len -= 2;
    }
    bool odd = host_len == 0 || memchr(from, ' ', host_len) != NULL ||
               memchr(from, '[', host_len) != NULL || memchr(from, ']', host_len) != NULL ||
               (!bracketed && memchr(from, ':', host_len) != NULL);
    int number;
    if (odd || !port_parse(colon + 1, &number)) {
        return fail_form(text, msg);
    }
    memcpy(host, from, host_len);
    host[host_len] = '\0';
    *port = number;
    return ERR_OK;
}
