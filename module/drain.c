// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draining the LRU batches of all processors.
 *
 * A folio that was just read or written is in an LRU batch of the processor that did
 * it, which holds a reference to it. Of the kernel functions that drain the batches
 * of all processors, only POSIX_FADV_DONTNEED is available to modules; it drains them
 * if it finds a folio that it cannot drop.
 *
 * H48: draining waits for a worker on each processor that has folios in a batch. If a
 * real-time task keeps a processor to itself, that wait never ends and cannot be
 * killed. So a worker of the stack drains, holding no lock, and a switch waits for
 * that worker with a timeout.
 */
#include <linux/fadvise.h>
#include <linux/pagemap.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "entry.h"
#include "mapping.h"
#include "wait.h"

static void dxs_drain_work(struct work_struct *work);

/*
 * The only drain worker; the kernel does not drain twice at a time either.
 *
 * @file: lower file to drain by, referenced; NULL: the worker is idle. The task that
 *	sets it from NULL owns the other fields until it queues the work.
 * @pos: offset of a folio of the file that could not be dropped
 * @given: number of drains requested
 * @done: number of the last drain that completed
 */
static struct {
	struct work_struct work;
	struct file *file;
	loff_t pos;
	unsigned long given;
	unsigned long done;
} dxs_drainer = {
	.work = __WORK_INITIALIZER(dxs_drainer.work, dxs_drain_work),
};

static void dxs_drain_work(struct work_struct *work)
{
	struct file *file = dxs_drainer.file;
	unsigned long ticket = dxs_drainer.given;

	generic_fadvise(file, dxs_drainer.pos, PAGE_SIZE, POSIX_FADV_DONTNEED);
	/*
	 * Pairs with the cmpxchg in dxs_drain_claim(). A task that claims the worker
	 * now is served when this work is done.
	 */
	smp_store_release(&dxs_drainer.file, NULL);
	/*
	 * Put before the waiters are woken: the final fput() of a kernel thread is
	 * deferred, and the file keeps the lower filesystem mounted until then.
	 */
	fput(file);
	/* Pairs with the acquire in dxs_drain_is_done(). */
	smp_store_release(&dxs_drainer.done, ticket);
	/* Pairs with prepare_to_wait_event() in dxs_drain_wait(). */
	smp_mb();
	wake_up_var(&dxs_drainer);
}

static bool dxs_drain_claim(struct file *file)
{
	return !cmpxchg(&dxs_drainer.file, NULL, file);
}

static bool dxs_drain_is_done(unsigned long ticket)
{
	/* Pairs with the release in dxs_drain_work(). */
	return (long)(smp_load_acquire(&dxs_drainer.done) - ticket) >= 0;
}

static long dxs_drain_wait(struct file *file, unsigned long ticket,
			   long timeout)
{
	return dxs_wait_var_timeout(&dxs_drainer,
				    file ? dxs_drain_claim(file) :
					   dxs_drain_is_done(ticket),
				    timeout);
}

/*
 * Finds the first folio of a mapping that may be in an LRU batch. Large folios never
 * are: fadvise of a page of one drains nothing.
 *
 * Return: false if there is none.
 */
static bool dxs_first_small_folio(struct address_space *mapping, loff_t *pos)
{
	struct folio_batch batch;
	bool found = false;
	pgoff_t next = 0;
	unsigned int i;

	folio_batch_init(&batch);
	while (!found &&
	       filemap_get_folios(mapping, &next, ULONG_MAX, &batch)) {
		for (i = 0; i < folio_batch_count(&batch) && !found; i++) {
			found = !folio_test_large(batch.folios[i]);
			if (found)
				*pos = folio_pos(batch.folios[i]);
		}
		folio_batch_release(&batch);
		cond_resched();
	}
	return found;
}

/**
 * dxs_drain() - drain the LRU batches, after folios could not be dropped
 * @file: of the lower filesystem
 * @timeout: how long to wait, in jiffies
 *
 * Context: sleeps; ends early on a signal.
 * Return: true if the batches were drained; false if not, or if the worker is still
 * draining.
 */
bool dxs_drain(struct file *file, long timeout)
{
	unsigned long ticket;
	loff_t pos;

	if (!dxs_first_small_folio(file->f_mapping, &pos))
		return true;
	get_file(file);
	timeout = dxs_drain_wait(file, 0, timeout);
	if (timeout <= 0) {
		fput(file);
		return false;
	}
	dxs_drainer.pos = pos;
	ticket = ++dxs_drainer.given;
	queue_work(dxs_wq, &dxs_drainer.work);
	return dxs_drain_wait(NULL, ticket, timeout) > 0;
}

/**
 * dxs_drains() - is the drain worker using a mapping?
 * @mapping: of a lower inode
 *
 * The worker looks at folios and shadow entries, so the mapping must not become DAX.
 *
 * Context: any. A result of false is stable if the caller excludes calls of
 * dxs_drain() for this mapping.
 */
bool dxs_drains(const struct address_space *mapping)
{
	const struct file *file;
	bool busy;

	if (!READ_ONCE(dxs_drainer.file))
		return false;
	/* Files like this one are freed by RCU: see dxs_lower_open_alone(). */
	rcu_read_lock();
	file = READ_ONCE(dxs_drainer.file);
	busy = file && READ_ONCE(file->f_mapping) == mapping;
	rcu_read_unlock();
	return busy;
}
