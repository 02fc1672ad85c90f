/* Ctrl-C (SIGINT, SIGTERM) that is noticed between two steps: the first one asks to stop, a second
 * one stops at once. */
#ifndef TALLY_CLIENT_INTERRUPT_H
#define TALLY_CLIENT_INTERRUPT_H

#include <stdbool.h>

/* From here on signals only ask. */
void interrupt_hold(void);

/* Whether one has asked. */
bool interrupt_asked(void);

/* From here on signals stop the program again. */
void interrupt_release(void);

#endif
