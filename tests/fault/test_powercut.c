/* Power cuts under the bare store (tests/fault/store_run.h). */
#include "tests/fault/store_run.h"

int main(int argc, char **argv)
{
	int rc = powercut_main(argc, argv, store_run_init());

	store_run_fini();
	return rc;
}
