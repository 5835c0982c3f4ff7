// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting by BPF instead of a heat session, for comparison:
 * scripts/measure/heat.bpf.c.
 */
#include <bpf/libbpf.h>

#include "bench.h"

static struct bpf_object *object;
static struct bpf_link *links[16];

void bpf_begin(const char *path)
{
	struct bpf_program *program;
	size_t nr = 0;

	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object))
		dxs_bail("%s: %m", path);
	bpf_object__for_each_program(program, object) {
		links[nr] = bpf_program__attach(program);
		if (!links[nr] || ++nr == ARRAY_SIZE(links))
			dxs_bail("%s: %m", bpf_program__name(program));
	}
}

void bpf_end(void)
{
	size_t i;

	for (i = 0; links[i]; i++) {
		bpf_link__destroy(links[i]);
		links[i] = NULL;
	}
	bpf_object__close(object);
}
