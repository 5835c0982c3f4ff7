// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asserts the cost model against the memory model's counts
 * (docs/plots/worth.json), the demand derived from heat, and each property of
 * the policy. For tests/simulate.sh; run in the source directory.
 */
#include "placecheck.h"

struct dxs_profile profile_named(const char *name)
{
	struct dxs_profile p;
	char path[128], why[512];

	snprintf(path, sizeof(path), "profiles/%s.conf", name);
	if (dxs_profile_read(path, &p, why, sizeof(why)))
		dxs_bail("%s", why);
	return p;
}

int main(void)
{
	check_costs();
	check_heat();
	check_policy();
	return dxs_done();
}
