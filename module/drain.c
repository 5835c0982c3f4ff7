// SPDX-License-Identifier: GPL-2.0
/*
 * Emptying the LRU batches of processors.
 *
 * A folio that was just read or written lies in a batch of the processor that
 * did it, which refers to it. The kernel empties the batches of all processors
 * for POSIX_FADV_DONTNEED, if there is a folio that it cannot drop; other ways are
 * not open to modules.
 *
 * H48: that waits for a worker on each processor that has something in a batch.
 * Where a real-time task keeps the processor to itself it waits for ever, and
 * cannot be killed. So a worker of our own waits for that, which holds no lock,
 * and a switch waits for the worker, for a time that is bounded.
 */
#include <linux/fadvise.h>
#include <linux/pagemap.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "daxstack.h"
#include "wait.h"

static void dxs_drain_work(struct work_struct *work);

/*
 * The one worker there is: the kernel does not do it twice at a time either.
 *
 * @file: by which it works, a reference; NULL: it has nothing to do. Who makes it
 *	something else than NULL may write the others until the work is queued.
 * @pos: a page of the file that could not be dropped
 * @given: how often it was asked
 * @done: how often it was through
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
	 * Pairs with the cmpxchg in dxs_drain_claim(). Who claims it now is served
	 * when this is over.
	 */
	smp_store_release(&dxs_drainer.file, NULL);
	/*
	 * Before those who wait go on: a kernel thread's last one is put a moment
	 * later, and keeps the lower filesystem mounted until then.
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
 * The first folio of a mapping that may be in a batch: large ones never are. By a
 * page of a large one nothing is drained.
 *
 * Return: false if it has none.
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
 * dxs_drain() - have the LRU batches emptied because of folios that stay
 * @file: of the lower filesystem
 * @timeout: how long to wait, in jiffies
 *
 * Context: sleeps; ends early by a signal.
 * Return: true if it was done; false: also if it goes on still.
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
 * dxs_drains() - is the worker still busy with a mapping?
 * @mapping: of a lower inode
 *
 * It looks at folios and shadow entries; the mapping must not turn DAX
 * meanwhile.
 *
 * Context: any. If the caller keeps others from dxs_drain() with a file of this
 * mapping, the answer no lasts.
 */
bool dxs_drains(const struct address_space *mapping)
{
	const struct file *file;
	bool busy;

	/* Files like this one are freed by RCU: see dxs_lower_open_alone(). */
	rcu_read_lock();
	file = READ_ONCE(dxs_drainer.file);
	busy = file && READ_ONCE(file->f_mapping) == mapping;
	rcu_read_unlock();
	return busy;
}
