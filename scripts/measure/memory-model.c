// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU 7.2 that counts the accesses of a guest to modelled caches, DRAM and
 * persistent memory. See docs/memory-model.md.
 *
 * Usage: qemu-system-x86_64 -accel tcg,thread=single ... -plugin memory-model.so,ARG,...
 *
 *   out=FILE         write the counts of each region there
 *   l1=SIZE:WAYS     a cache of SIZE (with K or M), and l2=, l3= behind it; "none": no
 *   l2=, l3=         such cache [32K:8, 1M:16, 8M:16]
 *   pmem=START:END   physical addresses of persistent memory, END exclusive
 *   outside=WHAT     between regions: "follow" simulates the caches, "skip" does not,
 *                    which is faster [follow]; nothing is simulated before the first
 *                    region
 *
 * The guest has one processor.
 */
#include <inttypes.h>
#include <stdio.h>

#include "memory-caches.h"
#include "qemu-plugin.h"

EXPORT int qemu_plugin_version = 1;

enum {
	REGIONS = 255,
	REGION_END = 255,
	PAGES = 4096,		/* user pages whose address is cached */
	LOOK_EVERY = 64,	/* accesses between checks, before the first region */
};

#define REGION_SIGN	0x6d656d6f72796f6bULL	/* as in tests/region.h */
#define NOWHERE		UINT64_MAX

/* Kinds of instructions, from their bytes. */
enum {
	UNCACHED_STORE = 1,
	REPEATED = 2,
};

static const char *out;
static struct counts regions[REGIONS];
static uint64_t executed;		/* instructions, counted by QEMU's code */
static uint64_t begun_at;
static bool following;
static bool skip_outside;

/* --- Addresses. */

/*
 * QEMU 7.2 gives plugins offsets in its list of RAM blocks, where the NVDIMM may come
 * before DRAM. The kernel's direct map yields the difference to the physical address for
 * each memory: there the virtual address is the physical one plus a base, which is
 * known if the guest's kernel runs with "nokaslr".
 */
#define BASE_4_LEVELS	0xffff888000000000ULL
#define BASE_5_LEVELS	0xff11000000000000ULL
#define DIRECT_SIZE	(1ULL << 46)
#define GIB		(1ULL << 30)

static uint64_t pmem_start = 1, pmem_end;	/* physical */
static uint64_t pmem_off;		/* physical address minus QEMU's */
static uint64_t pmem_agree, pmem_differ;
static uint64_t dram_off, dram_seen;	/* the same for DRAM below 3 GiB */
static uint64_t elsewhere;		/* accesses to neither DRAM nor that range */
/* The last address of user pages, by page number. */
static struct page {
	uint64_t virtual;
	uint64_t physical;
} pages[PAGES];

/* The physical address, if it is in the direct map, or NOWHERE. */
static uint64_t direct(uint64_t vaddr)
{
	if (vaddr - BASE_4_LEVELS < DIRECT_SIZE)
		return vaddr - BASE_4_LEVELS;
	if (vaddr - BASE_5_LEVELS < DIRECT_SIZE)
		return vaddr - BASE_5_LEVELS;
	return NOWHERE;
}

static void learn(uint64_t physical, uint64_t seen)
{
	uint64_t off = physical - seen;

	if (physical >= pmem_start && physical < pmem_end) {
		if (off == dram_off || (pmem_agree && off != pmem_off)) {
			pmem_differ++;
			return;
		}
		pmem_off = off;
		pmem_agree++;
		pmem_first = (pmem_start - pmem_off) >> LINE_SHIFT;
		pmem_last = ((pmem_end - pmem_off) >> LINE_SHIFT) - 1;
	} else if (physical < GIB) {
		/* ROM is read less often. */
		if (off == dram_off) {
			dram_seen += dram_seen < 1 << 20;
		} else if (dram_seen) {
			dram_seen--;
		} else {
			dram_off = off;
			dram_seen = 1;
		}
	} else if (physical >= 4 * GIB) {
		/* DRAM beyond 3 GiB comes after the hole. */
		elsewhere += off != dram_off && off != dram_off + GIB;
	}
}

/* The line of the current access, or NOWHERE. */
static uint64_t line_of(uint32_t info, uint64_t vaddr)
{
	struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, vaddr);
	struct page *page = &pages[(vaddr >> 12) % PAGES];
	uint64_t seen;

	if (!where || qemu_plugin_hwaddr_is_io(where))
		return NOWHERE;
	seen = qemu_plugin_hwaddr_phys_addr(where);
	if (direct(vaddr) != NOWHERE) {
		learn(direct(vaddr), seen);
	} else if (!(vaddr >> 63)) {
		page->virtual = vaddr >> 12;
		page->physical = seen >> 12;
	}
	return seen >> LINE_SHIFT;
}

/* The line of an address without an access, or NOWHERE. */
static uint64_t line_by_maps(uint64_t vaddr)
{
	struct page *page = &pages[(vaddr >> 12) % PAGES];
	uint64_t physical = direct(vaddr);

	if (!(vaddr >> 63)) {
		if (page->virtual != vaddr >> 12)
			return NOWHERE;
		return ((page->physical << 12) + (vaddr & 0xfff)) >> LINE_SHIFT;
	}
	if (physical == NOWHERE)
		return NOWHERE;
	if (physical < pmem_start || physical >= pmem_end)
		return (physical - dram_off) >> LINE_SHIFT;
	return pmem_agree ? (physical - pmem_off) >> LINE_SHIFT : NOWHERE;
}

/* --- Accesses. */

/* Virtual lines of the last load and the last store, which need no lookup. */
static uint64_t last_load = NOWHERE, last_store = NOWHERE;
static uint64_t load_line, store_line;

static void forget_last(void)
{
	last_load = NOWHERE;
	last_store = NOWHERE;
}

static void on_line(uint32_t info, uint64_t vaddr, bool store, unsigned int special)
{
	uint64_t line = line_of(info, vaddr), vline = vaddr >> LINE_SHIFT;

	if (line == NOWHERE) {
		now->io++;
		return;
	}
	if (special & REPEATED)
		executed++;
	if (store && special & UNCACHED_STORE) {
		forget_last();
		uncached_store(line);
		/* The next part of the line belongs to the same fill. */
		return;
	}
	last_gone = NOWHERE;
	access_line(line, vline, store);
	if (last_gone == load_line)
		last_load = NOWHERE;
	if (last_gone == store_line)
		last_store = NOWHERE;
	if (store) {
		last_store = vline;
		store_line = line;
	} else {
		last_load = vline;
		load_line = line;
	}
}

static void on_access(unsigned int cpu, uint32_t info, uint64_t vaddr, void *data)
{
	static unsigned int skipped;
	bool store = qemu_plugin_mem_is_store(info);
	uint64_t vline = vaddr >> LINE_SHIFT;
	unsigned int special = (unsigned int)(uintptr_t)data, left;

	(void)cpu;
	if (!following) {
		if (!(++skipped % LOOK_EVERY))
			line_of(info, vaddr);
		return;
	}
	if (store)
		now->stores++;
	else
		now->loads++;
	left = 64 - (vaddr & 63);
	if (left >= 8 || left >= 1U << qemu_plugin_mem_size_shift(info)) {
		if (vline == last_store || (vline == last_load && !store))
			if (!(special & UNCACHED_STORE))
				return;
		on_line(info, vaddr, store, special);
		return;
	}
	on_line(info, vaddr, store, special);
	on_line(info, vaddr + left, store, special);
}

/* --- Instructions that the plugin decodes. */

/*
 * The address of a flush is in registers, which version 1 does not let plugins read.
 * QEMU's code for x86-64 hosts has the guest's state at RBP, beginning with the general
 * registers; at the first instruction of a block of code all of them are stored there.
 * The kernel's flushes are such instructions, since jumps lead to them.
 */
void on_flush(unsigned int cpu, void *data, const uint64_t *registers);
void on_region(unsigned int cpu, void *data, const uint64_t *registers);

#define WITH_REGISTERS(name)			\
	__asm__(".text\n"			\
		"with_registers_" #name ":\n"	\
		"	mov %rbp, %rdx\n"	\
		"	jmp " #name "\n");	\
	extern void with_registers_##name(unsigned int cpu, void *data)	\
		__attribute__((visibility("hidden")))

WITH_REGISTERS(on_flush);
WITH_REGISTERS(on_region);

enum { RAX, RSP = 4 };

/* Whether the registers are at the expected place. */
static enum { UNKNOWN, RIGHT, WRONG } registers_are;

/* A flush instruction, from its translation. */
struct flush {
	bool keep;		/* clwb */
	bool known;		/* first in its block */
	int8_t base;		/* register, or -1 */
	int8_t index;
	uint8_t scale;
	int32_t offset;
};

__attribute__((visibility("hidden"), used))
void on_flush(unsigned int cpu, void *data, const uint64_t *registers)
{
	const struct flush *f = data;
	uint64_t vaddr = (uint64_t)(int64_t)f->offset, line;

	(void)cpu;
	if (!following)
		return;
	if (f->base >= 0)
		vaddr += registers[f->base];
	if (f->index >= 0)
		vaddr += registers[f->index] << f->scale;
	line = f->known && registers_are == RIGHT ? line_by_maps(vaddr) : NOWHERE;
	if (line == NOWHERE) {
		now->flushes_unseen++;
		return;
	}
	forget_last();
	flush_line(line, f->keep);
}

static void on_fence(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	end_fills();
}

static void stop_counting(void)
{
	if (now != &outside)
		now->instructions += executed - begun_at;
	now = &outside;
}

/* @data: the region's number; bit 8: the first instruction of its block. */
__attribute__((visibility("hidden"), used))
void on_region(unsigned int cpu, void *data, const uint64_t *registers)
{
	unsigned int number = (uintptr_t)data & 0xff;

	(void)cpu;
	if ((uintptr_t)data & 0x100 && registers_are != WRONG)
		registers_are = registers[RAX] == REGION_SIGN ? RIGHT : WRONG;
	stop_counting();
	forget_last();
	following = number != REGION_END || !skip_outside;
	if (number == REGION_END)
		return;
	now = &regions[number];
	now->times++;
	begun_at = executed;
}

/* --- Translation. */

struct decoded {
	const uint8_t *code;	/* the opcode, after prefixes */
	size_t size;		/* remaining bytes */
	bool repeat, operand_size, segment;
	uint8_t rex;
};

static struct decoded decode(const struct qemu_plugin_insn *insn)
{
	struct decoded d = {
		.code = qemu_plugin_insn_data(insn),
		.size = qemu_plugin_insn_size(insn),
	};

	for (; d.size > 1; d.code++, d.size--) {
		uint8_t c = *d.code;

		if (c == 0xf2 || c == 0xf3)
			d.repeat = true;
		else if (c == 0x66)
			d.operand_size = true;
		else if (c == 0x64 || c == 0x65 || c == 0x67)
			d.segment = true;	/* or an address of 32 bits */
		else if (c != 0x2e && c != 0x36 && c != 0x3e && c != 0x26 && c != 0xf0)
			break;
	}
	if (d.size > 1 && (*d.code & 0xf0) == 0x40) {
		d.rex = *d.code;
		d.code++;
		d.size--;
	}
	return d;
}

/* movs, stos, lods, cmps, scas with a prefix */
static bool is_repeated(const struct decoded *d)
{
	return d->repeat && d->code[0] >= 0xa4 && d->code[0] <= 0xaf &&
		d->code[0] != 0xa8 && d->code[0] != 0xa9;
}

/* movnti, movntps, movntpd, movntq, movntdq, with VEX and EVEX as well */
static bool is_uncached(const struct decoded *d)
{
	const uint8_t *c = d->code;
	size_t map;

	if (d->size > 2 && c[0] == 0x0f)
		return c[1] == 0xc3 || c[1] == 0x2b || c[1] == 0xe7;
	if (d->size > 3 && c[0] == 0xc5)
		return c[2] == 0x2b || c[2] == 0xe7;
	if (d->size > 4 && (c[0] == 0xc4 || c[0] == 0x62)) {
		map = c[0] == 0xc4 ? 3 : 4;
		return (c[1] & 0x1f) == 1 && (c[map] == 0x2b || c[map] == 0xe7);
	}
	return false;
}

static bool is_fence(const struct decoded *d)
{
	return d->size == 3 && d->code[0] == 0x0f && d->code[1] == 0xae &&
		(d->code[2] >= 0xf0 || (d->code[2] & 0xf8) == 0xf8);
}

/* clflush, clflushopt or clwb of memory */
static bool is_flush(const struct decoded *d)
{
	unsigned int what;

	if (d->size < 3 || d->code[0] != 0x0f || d->code[1] != 0xae ||
	    d->code[2] >= 0xc0 || d->repeat)
		return false;
	what = (d->code[2] >> 3) & 7;
	return what == 7 || (what == 6 && d->operand_size);
}

/* Decode the address of a flush; it stays unknown if decoding fails. */
static struct flush *new_flush(const struct decoded *d, bool first)
{
	struct flush *f = calloc(1, sizeof(*f));
	const uint8_t *c = d->code + 2;
	unsigned int mod = *c >> 6, rm = *c & 7;

	if (!f)
		abort();
	f->keep = ((*c >> 3) & 7) == 6;
	f->known = first && !d->segment;
	f->base = (int8_t)(rm | (d->rex & 1) << 3);
	f->index = -1;
	c++;
	if (rm == 4) {
		f->base = (int8_t)((*c & 7) | (d->rex & 1) << 3);
		f->index = (int8_t)(((*c >> 3) & 7) | (d->rex & 2) << 2);
		if (f->index == RSP)
			f->index = -1;
		f->scale = *c >> 6;
		if (!mod && (*c & 7) == 5) {
			f->base = -1;
			mod = 2;
		}
		c++;
	} else if (!mod && rm == 5) {
		f->known = false;	/* relative to RIP */
	}
	if (mod == 1)
		f->offset = (int8_t)*c;
	else if (mod == 2)
		memcpy(&f->offset, c, sizeof(f->offset));
	return f;
}

static bool is_region(const struct decoded *d)
{
	static const uint8_t nopl[] = { 0x0f, 0x1f, 0x80 };

	return d->size == 7 && !memcmp(d->code, nopl, 3) && !memcmp(d->code + 4, "sxd", 3);
}

static void on_translate(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		struct decoded d = decode(insn);
		uintptr_t special = 0;
		void *data;

		if (is_flush(&d)) {
			qemu_plugin_register_vcpu_insn_exec_cb(insn, with_registers_on_flush,
							       QEMU_PLUGIN_CB_NO_REGS,
							       new_flush(&d, !i));
		} else if (is_region(&d)) {
			data = (void *)(uintptr_t)(d.code[3] | (i ? 0 : 0x100));
			qemu_plugin_register_vcpu_insn_exec_cb(insn, with_registers_on_region,
							       QEMU_PLUGIN_CB_NO_REGS, data);
			continue;
		} else if (is_fence(&d)) {
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_fence,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		} else if (is_repeated(&d)) {
			special = REPEATED;
		} else if (is_uncached(&d)) {
			special = UNCACHED_STORE;
		}
		if (special != REPEATED)
			qemu_plugin_register_vcpu_insn_exec_inline(insn,
								   QEMU_PLUGIN_INLINE_ADD_U64,
								   &executed, 1);
		qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
						 QEMU_PLUGIN_MEM_RW, (void *)special);
	}
}

/* --- The counts. */

static FILE *file;

static void put_count(int region, const char *name, uint64_t n)
{
	fprintf(file, "%d %s %" PRIu64 "\n", region, name, n);
}

/* One for each distance, the last for accesses outside all open lines. */
static void put_near(int region, const char *device, const char *name, const uint64_t *near)
{
	unsigned int i;

	fprintf(file, "%d %s.%s", region, device, name);
	for (i = 0; i <= NEAR_SIZES; i++)
		fprintf(file, " %" PRIu64, near[i]);
	fputc('\n', file);
}

static void put_memory(int region, const char *device, const struct traffic *t)
{
	fprintf(file, "%d %s.stream %" PRIu64 " %" PRIu64 "\n", region, device,
		t->stream[BY_LOAD], t->stream[BY_STORE]);
	put_near(region, device, "load", t->read[BY_LOAD]);
	put_near(region, device, "store", t->read[BY_STORE]);
	put_near(region, device, "evicted", t->written[EVICTED]);
	put_near(region, device, "flushed", t->written[FLUSHED]);
	put_near(region, device, "uncached", t->written[UNCACHED]);
}

static void put_region(int region, const struct counts *c)
{
	put_count(region, "times", c->times);
	put_count(region, "instructions", c->instructions);
	put_count(region, "loads", c->loads);
	put_count(region, "stores", c->stores);
	put_count(region, "io", c->io);
	fprintf(file, "%d hits %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", region, c->hits[0],
		c->hits[1], c->hits[2]);
	put_count(region, "flushes", c->flushes);
	put_count(region, "flushes_unseen", c->flushes_unseen);
	put_memory(region, "dram", &c->memory[DRAM]);
	put_memory(region, "pmem", &c->memory[PMEM]);
}

static void on_exit_write(uint64_t id, void *data)
{
	int i;

	(void)id;
	(void)data;
	stop_counting();
	file = fopen(out, "w");
	if (!file) {
		perror(out);
		return;
	}
	fprintf(file, "memory-model 1\n");
	for (i = 0; i < level_count; i++)
		fprintf(file, "cache %d %" PRIu64 " %u\n", i + 1,
			levels[i].sets * levels[i].per_set << LINE_SHIFT, levels[i].per_set);
	fprintf(file, "registers %s\n", registers_are == RIGHT ? "right" :
		registers_are == WRONG ? "wrong" : "unknown");
	fprintf(file, "pmem %" PRIu64 " %" PRIu64 " %s\n", pmem_start, pmem_end,
		!(pmem_start < pmem_end) ? "none" : !pmem_agree ? "unseen" :
		pmem_differ ? "ambiguous" : "found");
	fprintf(file, "elsewhere %s\n", elsewhere ? "yes" : "no");
	for (i = 0; i < REGIONS; i++)
		if (regions[i].times)
			put_region(i, &regions[i]);
	if (fclose(file))
		perror(out);
}

/* --- Arguments. */

static bool take_range(const char *text)
{
	char *end;

	pmem_start = strtoull(text, &end, 0);
	if (*end != ':')
		return false;
	pmem_end = strtoull(end + 1, &end, 0);
	return !*end && pmem_start < pmem_end && !((pmem_start | pmem_end) & 0xfff);
}

static bool take_argument(const char *arg, const char **caches)
{
	const char *value = strchr(arg, '=');

	if (!value)
		return false;
	value++;
	if (!strncmp(arg, "out=", 4)) {
		out = strdup(value);
		return out && *out;
	}
	if (arg[0] == 'l' && arg[1] >= '1' && arg[1] <= '0' + LEVELS && arg[2] == '=') {
		caches[arg[1] - '1'] = value;
		return true;
	}
	if (!strncmp(arg, "pmem=", 5))
		return take_range(value);
	skip_outside = !strcmp(arg, "outside=skip");
	return skip_outside || !strcmp(arg, "outside=follow");
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	const char *caches[LEVELS] = { "32K:8", "1M:16", "8M:16" };
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!take_argument(argv[i], caches)) {
			fprintf(stderr, "memory-model: %s: not an argument of it\n", argv[i]);
			return -1;
		}
	}
	for (i = 0; i < LEVELS; i++) {
		if (strcmp(caches[i], "none") && !add_level(caches[i])) {
			fprintf(stderr,
				"memory-model: l%d=%s: write SIZE:WAYS, with a power of two "
				"of sets of 64 * WAYS bytes, or none\n",
				i + 1, caches[i]);
			return -1;
		}
	}
	if (!out || !level_count) {
		fprintf(stderr, "memory-model: out=FILE and one cache are needed\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_write, NULL);
	return 0;
}
