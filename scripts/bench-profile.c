// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU: which instructions a call of tests/bench executes.
 *
 * Usage: qemu-system-x86_64 ... -plugin bench-profile.so,out=FILE
 *
 * The guest says with an instruction that does nothing (see tell_profiler() in
 * tests/bench/main.c) on which layer it is. From then on what is executed
 * between two rdtsc of user mode is a run of the call. Of each layer the
 * shortest run is written to FILE: lines LAYER ADDRESS COUNT.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Of qemu-plugin.h, version 1, which Debian has no package of. */

struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   void (*cb)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_atexit_cb(uint64_t id, void (*cb)(uint64_t id, void *data),
				    void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int cpu, void *data),
					    int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t nr);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

/* --- */

#define EXPORT __attribute__((visibility("default")))

enum { LAYERS = 3, RUN_MAX = 8 << 20, RUN_MIN = 200 };

EXPORT int qemu_plugin_version = 1;

static const char *out;
static uint64_t *run;		/* addresses, in the order of execution */
static size_t run_len;
static bool running;
static int layer = LAYERS;
static uint64_t *best[LAYERS];	/* the shortest run of each layer */
static size_t best_len[LAYERS];

/* Each instruction; @data is its address. */
static void on_insn(unsigned int cpu, void *data)
{
	(void)cpu;
	if (running && run_len < RUN_MAX)
		run[run_len++] = (uintptr_t)data;
}

static void keep_run(void)
{
	/* Shorter ones are no calls. */
	if (layer == LAYERS || run_len < RUN_MIN)
		return;
	if (best[layer] && best_len[layer] <= run_len)
		return;
	free(best[layer]);
	best[layer] = malloc(run_len * sizeof(*run));
	if (!best[layer])
		abort();
	memcpy(best[layer], run, run_len * sizeof(*run));
	best_len[layer] = run_len;
}

static void on_rdtsc(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	if (running)
		keep_run();
	running = !running && layer < LAYERS;
	run_len = 0;
}

static void on_tell(unsigned int cpu, void *data)
{
	(void)cpu;
	layer = (int)(uintptr_t)data;
	running = false;
}

static void on_translate(uint64_t id, struct qemu_plugin_tb *tb)
{
	static const uint8_t rdtsc[] = { 0x0f, 0x31 };
	static const uint8_t tell[] = { 0x0f, 0x1f, 0x80 };
	size_t i;

	(void)id;
	for (i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		uint64_t addr = qemu_plugin_insn_vaddr(insn);
		void (*cb)(unsigned int cpu, void *data) = on_insn;
		uint64_t data = addr;

		if (!(addr >> 63) && size == 2 && !memcmp(code, rdtsc, 2)) {
			cb = on_rdtsc;
		} else if (!(addr >> 63) && size == 7 && !memcmp(code, tell, 3) &&
			   !memcmp(code + 4, "neb", 3)) {
			cb = on_tell;
			data = code[3] < LAYERS ? code[3] : LAYERS;
		}
		qemu_plugin_register_vcpu_insn_exec_cb(insn, cb,
						       QEMU_PLUGIN_CB_NO_REGS,
						       (void *)(uintptr_t)data);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void on_exit_write(uint64_t id, void *data)
{
	FILE *file = fopen(out, "w");
	size_t i, same;
	int l;

	(void)id;
	(void)data;
	if (!file) {
		perror(out);
		return;
	}
	for (l = 0; l < LAYERS; l++) {
		qsort(best[l], best_len[l], sizeof(*run), by_value);
		for (i = 0; i < best_len[l]; i += same) {
			for (same = 1; i + same < best_len[l]; same++)
				if (best[l][i + same] != best[l][i])
					break;
			fprintf(file, "%d %016llx %zu\n", l,
				(unsigned long long)best[l][i], same);
		}
	}
	if (fclose(file))
		perror(out);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "bench-profile: out=FILE is needed\n");
		return -1;
	}
	out = strdup(argv[0] + 4);
	run = malloc(RUN_MAX * sizeof(*run));
	if (!out || !run)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_write, NULL);
	return 0;
}
