// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack calibrate: describe the machine: a processor near the persistent memory, its
 * caches, other load, virtualisation.
 */
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "calibrate.h"

/* Limits of all kernels. */
#define CPUS_MAX	8192
#define NODES_MAX	1024

/* Assumed if the machine does not report its size. */
#define LLC_UNKNOWN	((size_t)32 << 20)

/**
 * machine_now - seconds of CLOCK_MONOTONIC_RAW
 */
double machine_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Read the first line of a file in /sys or /proc, "" if there is none. */
static bool read_line(char *line, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool read_line(char *line, size_t size, const char *format, ...)
{
	char path[256];
	va_list args;
	FILE *file;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	*line = 0;
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(line, size, file))
		*line = 0;
	fclose(file);
	line[strcspn(line, "\n")] = 0;
	return *line;
}

static bool read_int(int *number, const char *format, int a, int b)
	__attribute__((format(printf, 2, 0)));

static bool read_int(int *number, const char *format, int a, int b)
{
	char path[256], line[32], *end;

	snprintf(path, sizeof(path), format, a, b);
	if (!read_line(line, sizeof(line), "%s", path))
		return false;
	*number = strtol(line, &end, 10);
	return end != line;
}

/* --- Nodes and processors. */

/* Is @number in a list such as "0-3,8"? */
static bool is_in(const char *list, int number)
{
	long from, to;
	char *end;

	while (*list) {
		from = strtol(list, &end, 10);
		if (end == list)
			return false;
		to = from;
		if (*end == '-')
			to = strtol(end + 1, &end, 10);
		if (number >= from && number <= to)
			return true;
		list = *end ? end + 1 : end;
	}
	return false;
}

static bool node_has(int node, int cpu)
{
	char list[4096];

	return read_line(list, sizeof(list),
			 "/sys/devices/system/node/node%d/cpulist", node) &&
		is_in(list, cpu);
}

/* NUMA distance between two nodes; the file lists those to online nodes, in order. */
static int distance(int node, int to)
{
	char line[8192], *next = line, *end;
	int other;
	long far;

	if (!read_line(line, sizeof(line),
		       "/sys/devices/system/node/node%d/distance", node))
		return node == to ? 10 : 255;
	for (other = 0; other < NODES_MAX; other++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d",
			 other);
		if (access(path, F_OK))
			continue;
		far = strtol(next, &end, 10);
		if (end == next)
			break;
		if (other == to)
			return far;
		next = end;
	}
	return 255;
}

static int node_of(int cpu)
{
	char path[96];
	int node;

	for (node = 0; node < NODES_MAX; node++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/node%d", cpu, node);
		if (!access(path, F_OK))
			return node;
	}
	return -1;
}

/* NUMA node of a device, or of the device that it is a partition of. */
static int memory_node(dev_t device)
{
	static const char *const places[] = {
		"/sys/dev/block/%u:%u/device/target_node",
		"/sys/dev/block/%u:%u/../device/target_node",
		"/sys/dev/block/%u:%u/device/numa_node",
		"/sys/dev/block/%u:%u/../device/numa_node",
	};
	int node;
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (read_int(&node, places[i], major(device), minor(device)) &&
		    node >= 0)
			return node;
	return -1;
}

/*
 * Choose the last of the nearest permitted processors, because the first ones handle
 * most interrupts.
 */
static int choose(const cpu_set_t *allowed, size_t size, int node)
{
	int best = -1, best_far = 0, far, cpu;

	for (cpu = 0; cpu < CPUS_MAX; cpu++) {
		if (!CPU_ISSET_S(cpu, size, allowed))
			continue;
		far = node < 0 || node_has(node, cpu) ? 0 :
						      distance(node, node_of(cpu));
		if (best < 0 || far <= best_far) {
			best = cpu;
			best_far = far;
		}
	}
	return best;
}

static void pin(struct machine *machine)
{
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);

	machine->cpu = -1;
	if (!set)
		return;
	if (!sched_getaffinity(0, size, set)) {
		machine->cpu = choose(set, size, machine->memory_node);
		CPU_ZERO_S(size, set);
		if (machine->cpu >= 0)
			CPU_SET_S(machine->cpu, size, set);
		if (machine->cpu >= 0 && sched_setaffinity(0, size, set) < 0)
			machine->cpu = -1;
	}
	CPU_FREE(set);
	if (machine->cpu >= 0)
		machine->cpu_node = node_of(machine->cpu);
}

/* --- Caches and memory. */

static size_t last_level(int cpu)
{
	int index, level, deepest = 0;
	char line[32], *end;
	size_t size = 0;
	long found;

	for (index = 0; index < 16; index++) {
		if (!read_int(&level,
			      "/sys/devices/system/cpu/cpu%d/cache/index%d/level",
			      cpu < 0 ? 0 : cpu, index) || level <= deepest)
			continue;
		if (!read_line(line, sizeof(line),
			       "/sys/devices/system/cpu/cpu%d/cache/index%d/size",
			       cpu < 0 ? 0 : cpu, index))
			continue;
		deepest = level;
		size = strtoul(line, &end, 10);
		size <<= *end == 'K' ? 10 : *end == 'M' ? 20 : 0;
	}
	if (size)
		return size;
	found = sysconf(_SC_LEVEL3_CACHE_SIZE);
	if (found <= 0)
		found = sysconf(_SC_LEVEL2_CACHE_SIZE);
	return found > 0 ? (size_t)found : LLC_UNKNOWN;
}

/**
 * machine_free_memory - memory available to the page cache without pressure on others
 *
 * Return: bytes; 0 if unknown.
 */
size_t machine_free_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib;
	size_t bytes = 0;
	char line[128];

	if (!file)
		return 0;
	while (!bytes && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			bytes = kib << 10;
	fclose(file);
	return bytes;
}

/* --- Virtualisation. */

#if defined(__x86_64__)
static void find_hypervisor(struct machine *machine)
{
	static const struct {
		const char *signature;
		const char *name;
		bool emulates;
	} known[] = {
		{ "TCGTCGTCGTCG", "QEMU TCG", true },
		{ "KVMKVMKVM", "KVM", false },
		{ "VMwareVMware", "VMware", false },
		{ "Microsoft Hv", "Hyper-V", false },
		{ "XenVMMXenVMM", "Xen", false },
		{ "bhyve bhyve ", "bhyve", false },
	};
	unsigned int a, b, c, d;
	char signature[13] = "";
	size_t i;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 31)))
		return;
	strcpy(machine->hypervisor, "unknown");
	__cpuid(0x40000000, a, b, c, d);
	memcpy(signature, &b, 4);
	memcpy(signature + 4, &c, 4);
	memcpy(signature + 8, &d, 4);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(signature, known[i].signature))
			continue;
		strcpy(machine->hypervisor, known[i].name);
		machine->emulated = known[i].emulates;
	}
}
#else
static void find_hypervisor(struct machine *machine)
{
	char line[64];

	if (read_line(line, sizeof(line), "/sys/hypervisor/type"))
		strcpy(machine->hypervisor, "unknown");
}
#endif

static void find_model(struct machine *machine)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256], *colon;

	strcpy(machine->model, "unknown processor");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		colon = strchr(line, ':');
		if (strncmp(line, "model name", 10) || !colon)
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(machine->model, sizeof(machine->model), "%s",
			 colon + 1 + strspn(colon + 1, " "));
		break;
	}
	fclose(file);
}

/**
 * machine_look - describe the machine, and pin this thread to a processor
 * @machine: filled in
 * @device: block device of the persistent memory
 */
void machine_look(struct machine *machine, dev_t device)
{
	*machine = (struct machine){ .cpu_node = -1 };
	machine->memory_node = memory_node(device);
	machine->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (getloadavg(&machine->load, 1) < 1)
		machine->load = 0;
	pin(machine);
	machine->llc = last_level(machine->cpu);
	find_hypervisor(machine);
	find_model(machine);
	if (machine->cpu >= 0)
		read_line(machine->governor, sizeof(machine->governor),
			  "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor",
			  machine->cpu);
}
