#include "client/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    (void)number;
    asked = 1;
}

static void set(int number, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

void interrupt_hold(void)
{
    asked = 0;
    set(SIGINT, on_signal, (int)SA_RESETHAND);
    set(SIGTERM, on_signal, (int)SA_RESETHAND);
}

bool interrupt_asked(void)
{
    return asked != 0;
}

void interrupt_release(void)
{
    set(SIGINT, SIG_DFL, 0);
    set(SIGTERM, SIG_DFL, 0);
}
