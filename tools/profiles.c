// SPDX-License-Identifier: GPL-2.0-only
/* Find profiles by name: those shipped with daxstack, and that of this machine. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiles.h"

/**
 * profile_load - read a profile
 * @name: a path, or the name of a profile shipped with daxstack; NULL:
 *   /etc/daxstack/profile.conf if it exists, else optane-dc
 * @profile: filled in
 * @err: on failure set to the cause and what to do
 * @len: size of @err
 *
 * Return: 0, or -1.
 */
int profile_load(const char *name, struct dxs_profile *profile, char *err, size_t len)
{
	char path[4096], why[256];

	if (!name)
		name = access(OWN_PROFILE, F_OK) ? DEFAULT_PROFILE : OWN_PROFILE;
	profile_path(name, true, path, sizeof(path));
	if (!dxs_profile_read(path, profile, why, sizeof(why)))
		return 0;
	snprintf(err, len, "profile %s: %s", name, why);
	return -1;
}
