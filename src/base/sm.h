/* State machines as tables: a move that the table does not allow is our bug, logged and ended. */
#ifndef BASE_SM_H
#define BASE_SM_H

#include <stdint.h>

struct sm_state {
	const char *name;
	uint32_t next; /* SM_TO() of each state that may follow */
};

#define SM_TO(state) (UINT32_C(1) << (state))

/* Move *state to next, which the table must allow; machine is named in the message where it does
 * not. */
void sm_move(const char *machine, const struct sm_state *table, unsigned *state, unsigned next);

#endif
