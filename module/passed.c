// SPDX-License-Identifier: GPL-2.0
/*
 * Mount options of the lower filesystem: collected when the stack's are parsed,
 * given to the lower filesystem when it is mounted or remounted, compared with
 * what it has, shown with those of the stack. And what it says of them.
 */
#include <linux/fs_context.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "daxstack.h"

/**
 * struct dxs_passed_option - an option as it was given
 * @list: in struct dxs_passed
 * @value: NULL if it has none; else behind the key
 * @key: its name
 */
struct dxs_passed_option {
	struct list_head list;
	const char *value;
	char key[];
};

/**
 * dxs_passed_init() - no options yet
 * @passed: what to set up
 */
void dxs_passed_init(struct dxs_passed *passed)
{
	INIT_LIST_HEAD(&passed->options);
	passed->bytes = 0;
}

/**
 * dxs_passed_free() - forget all options
 * @passed: what was set up by dxs_passed_init()
 */
void dxs_passed_free(struct dxs_passed *passed)
{
	struct dxs_passed_option *option, *next;

	list_for_each_entry_safe(option, next, &passed->options, list)
		kfree(option);
	dxs_passed_init(passed);
}

/**
 * dxs_passed_take() - replace options by those of another set
 * @to: what is replaced
 * @from: is empty afterwards
 */
void dxs_passed_take(struct dxs_passed *to, struct dxs_passed *from)
{
	dxs_passed_free(to);
	list_splice_init(&from->options, &to->options);
	swap(to->bytes, from->bytes);
}

/* As "KEY=VALUE," for mount(2). */
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
 * dxs_passed_add() - keep an option that is not the stack's
 * @passed: where to keep it
 * @fc: what is being parsed
 * @param: the option
 *
 * Which options there are only the lower filesystem knows, when it gets them.
 *
 * H74: whoever has a user namespace of his own may open a context and fill it,
 * without ever being allowed to mount. So there may be no more than mount(2)
 * takes, and it counts as his memory.
 *
 * Context: sleeps.
 * Return: 0, or an errno after saying why in @fc's log.
 */
int dxs_passed_add(struct dxs_passed *passed, struct fs_context *fc,
		   const struct fs_parameter *param)
{
	const char *value = NULL;

	if (param->type == fs_value_is_string)
		value = param->string;
	else if (param->type != fs_value_is_flag)
		return invalfc(fc, "%s: takes a string or nothing", param->key);
	if (dxs_passed_size(param->key, value) > PAGE_SIZE - passed->bytes)
		return invalfc(fc, "%s: too many options", param->key);
	return dxs_passed_append(passed, param->key, value);
}

/**
 * dxs_passed_first() - the name of one of the options, for messages
 * @passed: options, not empty
 */
const char *dxs_passed_first(const struct dxs_passed *passed)
{
	return list_first_entry(&passed->options, struct dxs_passed_option,
				list)->key;
}

/**
 * dxs_passed_give() - let the lower filesystem parse the options
 * @passed: options
 * @lower: a context of the lower filesystem
 *
 * Context: sleeps.
 * Return: 0, or what the lower filesystem says to the first that it refuses.
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

/* --- Those that are in force. */

/* The lower filesystem's, each with a comma before it, up to the end of @m. */
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
 * dxs_passed_show() - show the options of the lower filesystem after our own
 * @m: the line of /proc/mounts
 * @lower_root: root of the lower filesystem
 *
 * Without dax=, which is there as the stack's.
 *
 * Context: sleeps.
 */
void dxs_passed_show(struct seq_file *m, struct dentry *lower_root)
{
	size_t from = m->count, to = m->count, len;

	dxs_passed_print(m, lower_root);
	/* It is printed anew into a larger buffer. */
	if (seq_has_overflowed(m))
		return;
	for (; from < m->count; from += len) {
		const char *shown = m->buf + from;

		/* The comma before it, and up to the next. */
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

/* Is @option among @shown, options with a comma before each and one at the end? */
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
 * dxs_passed_missing() - is one of the options not in force?
 * @passed: options
 * @lower_root: root of the lower filesystem
 * @given: those that it was given by us, or NULL; the lower filesystem shows none
 *	that is the default
 *
 * Context: sleeps.
 * Return: the name of the first that is not, NULL if all are.
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
 * @key: its name
 * @value: its value
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

/* --- What the lower filesystem says of them. */

/**
 * dxs_passed_listen() - collect what is said in contexts of the lower filesystem
 *
 * Not passed on at once, for where several types are tried only what those say
 * that fail in the end is of interest.
 *
 * Context: sleeps.
 * Return: a log, to be given to dxs_passed_tell(); NULL if there is no memory, then
 * they speak to dmesg.
 */
struct fc_log *dxs_passed_listen(void)
{
	struct fc_log *log = kzalloc_obj(*log, GFP_KERNEL);

	if (log)
		refcount_set(&log->usage, 1);
	return log;
}

/**
 * dxs_passed_attach() - let a context speak to a log
 * @lower: the context; put_fs_context() detaches it
 * @log: of dxs_passed_listen()
 */
void dxs_passed_attach(struct fs_context *lower, struct fc_log *log)
{
	if (!log || lower->log.log)
		return;
	refcount_inc(&log->usage);
	lower->log.log = log;
}

/**
 * dxs_passed_tell() - pass on what was said, and free the log
 * @fc: to whose log; NULL: to nobody's
 * @log: of dxs_passed_listen(); all contexts are detached from it
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
