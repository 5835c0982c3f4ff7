/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Profiles by name: those shipped with daxstack, and that of this machine.
 */
#ifndef DAXSTACK_PROFILES_H
#define DAXSTACK_PROFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profile.h"

#ifndef PROFILES
#define PROFILES "/usr/share/daxstack/profiles"
#endif

#define OWN_PROFILE	"/etc/daxstack/profile.conf"
#define DEFAULT_PROFILE	"optane-dc"

/**
 * profile_is_path - whether a profile is given by its path, not by its name
 * @name: the name or path
 * @relative: the path may be relative; false for names from a file, which must not depend
 *   on the working directory
 */
static inline bool profile_is_path(const char *name, bool relative)
{
	size_t len = strlen(name);

	if (!relative)
		return *name == '/';
	return strchr(name, '/') || (len > 5 && !strcmp(name + len - 5, ".conf"));
}

/**
 * profile_path - find the file of a profile
 * @name: its path, or the name of a profile shipped with daxstack; NULL:
 *   /etc/daxstack/profile.conf if it exists, else optane-dc
 * @relative: as for profile_is_path()
 * @path: set to the file name
 * @size: of @path
 *
 * Inline, so that rulematch.c needs no other file.
 */
static inline void profile_path(const char *name, bool relative, char *path, size_t size)
{
	if (!name)
		name = access(OWN_PROFILE, F_OK) ? DEFAULT_PROFILE : OWN_PROFILE;
	if (profile_is_path(name, relative))
		snprintf(path, size, "%s", name);
	else
		snprintf(path, size, PROFILES "/%s.conf", name);
}

int profile_load(const char *name, struct dxs_profile *profile, char *err, size_t len);

#endif /* DAXSTACK_PROFILES_H */
