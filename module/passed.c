// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mount options of the lower filesystem: collected while the stack's options are
 * parsed, passed to the lower filesystem at mount and remount, compared with those in
 * force, and shown with those of the stack. Messages of the lower filesystem about
 * them are passed on to the caller of mount(2).
 */
#include <linux/fs_context.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "entry.h"
#include "lower.h"

/**
 * struct dxs_passed_option - an option as given
 * @list: in struct dxs_passed
 * @value: NULL if the option has none; else stored behind @key
 * @key: name of the option
 */
struct dxs_passed_option {
	struct list_head list;
	const char *value;
	char key[];
};

/**
 * dxs_passed_init() - initialize an empty set of options
 * @passed: the set
 */
void dxs_passed_init(struct dxs_passed *passed)
{
	INIT_LIST_HEAD(&passed->options);
	passed->bytes = 0;
}

/**
 * dxs_passed_free() - free all options of a set
 * @passed: the set; empty afterwards
 */
void dxs_passed_free(struct dxs_passed *passed)
{
	struct dxs_passed_option *option, *next;

	list_for_each_entry_safe(option, next, &passed->options, list)
		kfree(option);
	dxs_passed_init(passed);
}

/**
 * dxs_passed_take() - move all options of one set to another
 * @to: its previous options are freed
 * @from: empty afterwards
 */
void dxs_passed_take(struct dxs_passed *to, struct dxs_passed *from)
{
	dxs_passed_free(to);
	list_splice_init(&from->options, &to->options);
	swap(to->bytes, from->bytes);
}

/* Length of "KEY=VALUE," in the data of mount(2). */
static size_t dxs_passed_size(const char *key, const char *value)
{
	return strlen(key) + 1 + (value ? strlen(value) + 1 : 0);
}

static int dxs_passed_append(struct dxs_passed *passed, const char *key,
			     const char *value)
{
	size_t size = dxs_passed_size(key, value), keylen = strlen(key) + 1;
	struct dxs_passed_option *option;

	option = kmalloc(struct_size(option, key, size), GFP_KERNEL_ACCOUNT);
	if (!option)
		return -ENOMEM;
	memcpy(option->key, key, keylen);
	option->value = value ? memcpy(option->key + keylen, value,
				       size - keylen) : NULL;
	passed->bytes += size;
	list_add_tail(&option->list, &passed->options);
	return 0;
}

/**
 * dxs_passed_add() - store an option that the stack does not know
 * @passed: set to add it to
 * @fc: context that is being parsed
 * @param: the option
 *
 * Only the lower filesystem knows which options are valid; it parses them later.
 *
 * H74: a user with a user namespace can open a context and fill it without ever being
 * allowed to mount. So the size is limited to what mount(2) takes, and the memory is
 * charged to the user's cgroup.
 *
 * Context: sleeps.
 * Return: 0, or a negative errno with the reason in @fc's log.
 */
int dxs_passed_add(struct dxs_passed *passed, struct fs_context *fc,
		   const struct fs_parameter *param)
{
	const char *value = NULL;

	if (param->type == fs_value_is_string)
		value = param->string;
	else if (param->type != fs_value_is_flag)
		return invalfc(fc, "%s: takes a string or no value", param->key);
	if (dxs_passed_size(param->key, value) > PAGE_SIZE - passed->bytes)
		return invalfc(fc, "%s: too many options", param->key);
	return dxs_passed_append(passed, param->key, value);
}

/**
 * dxs_passed_first() - name of the first option, for messages
 * @passed: set of options, not empty
 */
const char *dxs_passed_first(const struct dxs_passed *passed)
{
	return list_first_entry(&passed->options, struct dxs_passed_option,
				list)->key;
}

/**
 * dxs_passed_give() - pass options to the lower filesystem
 * @passed: set of options
 * @lower: context of the lower filesystem, which parses them
 *
 * Context: sleeps.
 * Return: 0, or the error of the first option that was refused.
 */
int dxs_passed_give(const struct dxs_passed *passed, struct fs_context *lower)
{
	struct dxs_passed_option *option;
	int err = 0;

	list_for_each_entry(option, &passed->options, list) {
		err = vfs_parse_fs_string(lower, option->key, option->value);
		if (err)
			break;
	}
	return err;
}

/* --- Options in force. */

/* Appends the options of the lower filesystem to @m, each preceded by a comma. */
static void dxs_passed_print(struct seq_file *m, struct dentry *lower_root)
{
	const struct super_operations *ops = lower_root->d_sb->s_op;

	if (ops->show_options)
		ops->show_options(m, lower_root);
}

static bool dxs_passed_is_dax(const char *shown, size_t len)
{
	return len >= 3 && !memcmp(shown, "dax", 3) &&
	       (len == 3 || shown[3] == '=');
}

/**
 * dxs_passed_show() - show the options of the lower filesystem after the stack's
 * @m: the line of /proc/mounts
 * @lower_root: root of the lower filesystem
 *
 * Leaves out dax=, which the stack shows as its own option.
 *
 * Context: sleeps.
 */
void dxs_passed_show(struct seq_file *m, struct dentry *lower_root)
{
	size_t from = m->count, to = m->count, len;

	dxs_passed_print(m, lower_root);
	/* seq_file prints the line again into a larger buffer. */
	if (seq_has_overflowed(m))
		return;
	for (; from < m->count; from += len) {
		const char *shown = m->buf + from;

		/* The option with its leading comma, up to the next comma. */
		len = 1;
		while (from + len < m->count && shown[len] != ',')
			len++;
		if (dxs_passed_is_dax(shown + 1, len - 1))
			continue;
		memmove(m->buf + to, shown, len);
		to += len;
	}
	m->count = to;
}

/*
 * Is @option in @shown? There each option has a leading comma, and the last is
 * followed by one.
 */
static bool dxs_passed_shown(const char *shown,
			     const struct dxs_passed_option *option)
{
	char *what = kasprintf(GFP_KERNEL, ",%s%s%s,", option->key,
			       option->value ? "=" : "", option->value ?: "");
	bool is = what && strstr(shown, what);

	kfree(what);
	return is;
}

static bool dxs_passed_given(const struct dxs_passed *passed,
			     const struct dxs_passed_option *option)
{
	const struct dxs_passed_option *given;

	list_for_each_entry(given, &passed->options, list)
		if (!strcmp(given->key, option->key) &&
		    !strcmp(given->value ?: "", option->value ?: ""))
			return true;
	return false;
}

/**
 * dxs_passed_missing() - find an option that is not in force
 * @passed: set of options to look for
 * @lower_root: root of the lower filesystem
 * @given: options that the stack passed to the lower filesystem, or NULL; they count
 *	as in force, because a filesystem does not show options that equal its
 *	defaults
 *
 * Context: sleeps.
 * Return: name of the first option that is not in force, or NULL.
 */
const char *dxs_passed_missing(const struct dxs_passed *passed,
			       struct dentry *lower_root,
			      const struct dxs_passed *given)
{
	struct seq_file m = { .size = PAGE_SIZE - 2 };
	struct dxs_passed_option *option;
	const char *missing = NULL;

	if (dxs_passed_empty(passed))
		return NULL;
	m.buf = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!m.buf)
		return dxs_passed_first(passed);
	dxs_passed_print(&m, lower_root);
	m.buf[m.count] = ',';
	m.buf[m.count + 1] = 0;
	list_for_each_entry(option, &passed->options, list)
		if (!dxs_passed_shown(m.buf, option) &&
		    !(given && dxs_passed_given(given, option))) {
			missing = option->key;
			break;
		}
	kfree(m.buf);
	return missing;
}

/**
 * dxs_passed_has() - is this option in force?
 * @lower_root: root of the lower filesystem
 * @key: name of the option
 * @value: value of the option
 *
 * Context: sleeps.
 */
bool dxs_passed_has(struct dentry *lower_root, const char *key,
		    const char *value)
{
	struct dxs_passed passed;
	bool has;

	dxs_passed_init(&passed);
	has = !dxs_passed_append(&passed, key, value) &&
	      !dxs_passed_missing(&passed, lower_root, NULL);
	dxs_passed_free(&passed);
	return has;
}

/* --- Messages of the lower filesystem. */

/**
 * dxs_passed_listen() - allocate a log for contexts of the lower filesystem
 *
 * Messages are collected rather than passed on at once: while several types are
 * tried, they matter only if all types fail.
 *
 * Context: sleeps.
 * Return: a log for dxs_passed_tell(), or NULL without memory: messages go to dmesg
 * then.
 */
struct fc_log *dxs_passed_listen(void)
{
	struct fc_log *log = kzalloc_obj(*log, GFP_KERNEL);

	if (log)
		refcount_set(&log->usage, 1);
	return log;
}

/**
 * dxs_passed_attach() - direct the messages of a context to a log
 * @lower: the context; put_fs_context() detaches it
 * @log: result of dxs_passed_listen()
 */
void dxs_passed_attach(struct fs_context *lower, struct fc_log *log)
{
	if (!log || lower->log.log)
		return;
	refcount_inc(&log->usage);
	lower->log.log = log;
}

/**
 * dxs_passed_tell() - pass collected messages on, and free the log
 * @fc: context whose log gets the messages; NULL: drop them
 * @log: result of dxs_passed_listen(), or NULL; no context is attached to it any more
 *
 * Context: sleeps.
 */
void dxs_passed_tell(struct fs_context *fc, struct fc_log *log)
{
	const u8 mask = ARRAY_SIZE(log->buffer) - 1;
	const char *line;
	int len, i;

	if (!log)
		return;
	for (; fc && log->tail != log->head; log->tail++) {
		/* "LEVEL TEXT\n" */
		line = log->buffer[log->tail & mask];
		len = strcspn(line, "\n");
		if (len < 2)
			continue;
		if (*line == 'e')
			errorfc(fc, "%.*s", len - 2, line + 2);
		else if (*line == 'w')
			warnfc(fc, "%.*s", len - 2, line + 2);
		else
			infofc(fc, "%.*s", len - 2, line + 2);
	}
	for (i = 0; i < ARRAY_SIZE(log->buffer); i++)
		if (log->need_free & BIT(i))
			kfree(log->buffer[i]);
	kfree(log);
}
