// SPDX-License-Identifier: GPL-2.0-only
/*
 * The names of the values of mount options.
 */
#include "entry.h"
#include "super.h"

const struct constant_table dxs_policies[] = {
	{ "never",	DXS_SWITCH_NEVER },
	{ "empty",	DXS_SWITCH_EMPTY },
	{ "unmapped",	DXS_SWITCH_UNMAPPED },
	{ "live",	DXS_SWITCH_LIVE },
	{}
};

const struct constant_table dxs_inherits[] = {
	{ "none",	DXS_INHERIT_NONE },
	{ "create",	DXS_INHERIT_CREATE },
	{ "move",	DXS_INHERIT_MOVE },
	{}
};

const struct constant_table dxs_daxes[] = {
	{ "inode",	DXS_DAX_INODE },
	{ "always",	DXS_DAX_ALWAYS },
	{ "never",	DXS_DAX_NEVER },
	{}
};

/**
 * dxs_option_name() - the name of a value of an option
 * @table: of the option
 * @value: a value in @table
 */
const char *dxs_option_name(const struct constant_table *table, int value)
{
	while (table->value != value)
		table++;
	return table->name;
}

/**
 * dxs_option() - current value of an option
 * @sbi: the mount
 * @opt: the option: %DXS_OPT_SWITCH, %DXS_OPT_INHERIT or %DXS_OPT_DAX
 */
const char *dxs_option(const struct dxs_sb *sbi, enum dxs_opt opt)
{
	switch (opt) {
	case DXS_OPT_SWITCH:
		return dxs_option_name(dxs_policies, READ_ONCE(sbi->policy));
	case DXS_OPT_INHERIT:
		return dxs_option_name(dxs_inherits, READ_ONCE(sbi->inherit));
	default:
		return dxs_option_name(dxs_daxes, READ_ONCE(sbi->dax));
	}
}
