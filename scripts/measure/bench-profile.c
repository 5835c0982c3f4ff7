// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU that counts the instructions of calls of tests/bench by address: those
 * that a call executes, and those that are executed later because of it.
 *
 * Usage: qemu-system-x86_64 ... -plugin bench-profile.so,out=FILE
 *
 * Marker instructions in the guest (tests/bench/mark.h) name the layer and the phase.
 * FILE gets lines LAYER PHASE ADDRESS COUNT. PHASE is 0 in calls, 1 during the work that
 * they deferred, 2 during an idle period of the same length.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

enum { LAYERS = 3, WHATS = 3, SLOTS = LAYERS * WHATS + 1, OTHER = SLOTS - 1 };
enum { MARK_WHAT = 0x10 };
enum { TABLE = 1 << 20 };	/* addresses of instructions, a power of 2 */

EXPORT int qemu_plugin_version = 1;

static const char *out;

/* How often an instruction was executed, by layer and phase. */
struct insn {
	uint64_t addr;
	uint64_t count[SLOTS];
};

static struct insn *table[TABLE];
static struct insn programs;	/* one counter for all instructions of programs */
static size_t known;
static int layer, slot = OTHER;

static struct insn *find(uint64_t addr)
{
	size_t i = addr * 0x9e3779b97f4a7c15 >> 44;

	if (!(addr >> 63))
		return &programs;
	while (table[i] && table[i]->addr != addr)
		i = (i + 1) % TABLE;
	if (!table[i]) {
		table[i] = calloc(1, sizeof(*table[i]));
		if (!table[i] || ++known > TABLE / 2)
			abort();
		table[i]->addr = addr;
	}
	return table[i];
}

static void on_insn(unsigned int cpu, void *data)
{
	struct insn *insn = data;

	(void)cpu;
	insn->count[slot]++;
}

static void on_mark(unsigned int cpu, void *data)
{
	int mark = (int)(uintptr_t)data;

	(void)cpu;
	if (mark < LAYERS)
		layer = mark;
	if (mark >= MARK_WHAT && mark < MARK_WHAT + WHATS)
		slot = layer * WHATS + mark - MARK_WHAT;
	else
		slot = OTHER;
}

static void on_translate(uint64_t id, struct qemu_plugin_tb *tb)
{
	static const uint8_t nop[] = { 0x0f, 0x1f, 0x80 };
	size_t i;

	(void)id;
	for (i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		uint64_t addr = qemu_plugin_insn_vaddr(insn);
		void (*cb)(unsigned int cpu, void *data) = on_insn;
		void *data;

		if (!(addr >> 63) && size == 7 && !memcmp(code, nop, 3) &&
		    !memcmp(code + 4, "neb", 3)) {
			cb = on_mark;
			data = (void *)(uintptr_t)code[3];
		} else {
			data = find(addr);
		}
		qemu_plugin_register_vcpu_insn_exec_cb(insn, cb,
						       QEMU_PLUGIN_CB_NO_REGS, data);
	}
}

static void write_insn(FILE *file, const struct insn *insn)
{
	int i;

	for (i = 0; i < OTHER; i++)
		if (insn->count[i])
			fprintf(file, "%d %d %016llx %llu\n", i / WHATS, i % WHATS,
				(unsigned long long)insn->addr,
				(unsigned long long)insn->count[i]);
}

static void on_exit_write(uint64_t id, void *data)
{
	FILE *file = fopen(out, "w");
	size_t i;

	(void)id;
	(void)data;
	if (!file) {
		perror(out);
		return;
	}
	write_insn(file, &programs);
	for (i = 0; i < TABLE; i++)
		if (table[i])
			write_insn(file, table[i]);
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
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_write, NULL);
	return 0;
}
