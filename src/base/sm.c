/* Moves between the states of a table. */
#include "base/sm.h"

#include <limits.h>
#include <stdio.h>

#include "base/log.h"

enum { REASON_MAX_LEN = 160 };

void sm_move(const char *machine, const struct sm_state *table, unsigned *state, unsigned next)
{
	char reason[REASON_MAX_LEN];

	/* A number that cannot be a state has no name in the table either. */
	if (next >= sizeof(table->next) * CHAR_BIT) {
		snprintf(reason, sizeof(reason), "%s: %s -> %u", machine, table[*state].name, next);
		die("state.unknown", reason);
	}
	if ((table[*state].next & SM_TO(next)) == 0) {
		snprintf(reason, sizeof(reason), "%s: %s -> %s", machine, table[*state].name,
			 table[next].name);
		die("state.forbidden", reason);
	}
	*state = next;
}
