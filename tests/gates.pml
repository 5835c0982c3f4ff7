/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the gates' protocol (module/gate.[ch], and in module/gates.c
 * dxs_make_gates(), dxs_switching_begin(), dxs_switching_end(),
 * dxs_evict_inode()), for spin. tests/gates.sh runs it.
 *
 * Users read and fault, and the first one allocates the gates; switches follow
 * one another, each refused at any step or not; an observer reads the mode under
 * RCU; at the end the inode is evicted. Invariants of every interleaving:
 *
 *  - no process waits forever: at the end every process has ended;
 *  - at the end both gates are open (H40);
 *  - the mode changes while the gates have no readers;
 *  - a mapping that left dax mode is filled only when no observer uses that mode
 *    any more (H31);
 *  - a freed gate is not accessed (H4).
 *
 * Wakeups are not modelled: a wait ends when its condition holds.
 *
 * Flawed variants, in which spin must find the error:
 *
 *  -DBOOLEAN    ->shut is a single bit, and the allocating user leaves the gates to
 *               any switch in progress
 *  -DANY_SWITCH the allocating user leaves the gates to any switch
 *  -DNO_SWITCH  the allocating user leaves the gates to no switch
 *  -DNO_SETTLE  the allocating user does not wait for observers
 *  -DNO_RCU     a reader leaves a closed gate outside RCU
 *  -DNO_GRACE   a switch does not wait for a grace period
 *  -DLATE_SLOW  a switch waits for the grace period before both gates are slow
 *  -DLOOK_ONCE  a reader of a slow gate does not check it again after counting itself
 *  -DSHUT_FIRST the fault gate is closed before the readers of the I/O gate have left:
 *               a call that faults inside it and the switch wait for each other
 */
#define USERS		2
#define ROUNDS		(2 - me)	/* of user @me */
#define SWITCHES	2

#define IO		0
#define FAULT		1

#define CACHED		0
#define DAX		1

/* The inode's i_lock, which only flawed variants need there. */
#ifdef BOOLEAN
#define UNDER_LOCK	atomic
#define SWITCH		1
#define NEW		1
#else
#define UNDER_LOCK
#define SWITCH		1
#define NEW		2
#endif
#define EVICT		4
#define UNMADE		8	/* of the I/O gate: both not allocated yet */
#define SHUT		15
#define SLOW		16

byte shut[2];
byte count[2];		/* ->readers, the sum */
byte inside[2];		/* readers that passed the gate */
bool unseen;		/* ->unseen_switch */
bool mode;
bool filled;		/* the mapping */
bool unsettled;		/* no grace period has passed since ->flip_rcu */
byte flips;
bool freed;
byte references;	/* to the inode, of users and of switches */
bool section[USERS + 1];	/* read-side critical sections of RCU */

/* dxs_gates() */
#define gates		(!(shut[IO] & UNMADE))

/* A grace period: every process has been seen outside its section. */
inline grace_period(i)
{
	do
	:: i <= USERS -> atomic { !section[i]; i++ }
	:: else -> i = 0; break
	od
}

/* dxs_flip_settle() */
inline settle(i, flip)
{
	flip = flips;
	if
	:: unsettled ->
		grace_period(i);
		atomic {
			if
			:: flip == flips -> unsettled = false
			:: else
			fi;
			flip = 0
		}
	:: else
	fi
}

/* dxs_gate_open_new() */
inline open_new()
{
	shut[IO] = shut[IO] & ~NEW;
	shut[FAULT] = shut[FAULT] & ~NEW
}

/*
 * dxs_make_gates(). Atomic parts hold the inode's i_lock, also where they need not.
 */
inline make(i, flip, mine)
{
	mine = false;
	atomic {
		if
		:: !gates ->
			if
			:: unseen || unsettled ->
				mine = true;
				shut[FAULT] = NEW;
				shut[IO] = NEW
			:: else ->
				shut[IO] = 0
			fi
		:: else
		fi
	}
	if
	:: mine ->
		mine = false;
#ifndef NO_SETTLE
		settle(i, flip);
#endif
		UNDER_LOCK {
			if
#ifndef NO_SWITCH
			:: unseen
#endif
			:: else -> open_new()
			fi
		}
	:: else
	fi
}

/* dxs_gate_try_slow(): no grace period waits for readers here. */
inline try_slow(gate, open)
{
	if
	:: !open && !(shut[gate] & SHUT) ->
#ifdef LOOK_ONCE
		atomic { count[gate]++; inside[gate]++; open = true }
#else
		count[gate]++;
		atomic {
			if
			:: !(shut[gate] & SHUT) -> inside[gate]++; open = true
			:: else
			fi
		}
		if
		:: !open -> count[gate]--
		:: else
		fi
#endif
	:: else
	fi
}

/* The fault gate, inside the I/O gate: always succeeds (H1). */
inline try_slow_nested(open)
{
	if
	:: !open && !(shut[FAULT] & SHUT) ->
		count[FAULT]++;
		assert(!(shut[FAULT] & SHUT));
		inside[FAULT]++;
		open = true
	:: else
	fi
}

/* __dxs_gate_try_enter() */
inline try_fast(gate, open)
{
	section[me] = true;
	open = !shut[gate];
	if
	:: open -> atomic { count[gate]++; inside[gate]++ }
	:: else
	fi;
	section[me] = false
}

/* dxs_gate_leave() */
inline leave(gate, open)
{
	section[me] = true;
	open = !shut[gate];
#ifdef NO_RCU
	if
	:: !open -> section[me] = false
	:: else
	fi;
#endif
	atomic { inside[gate]--; count[gate]-- }
	open = false;
	/* the wakeup */
	assert(!freed);
	section[me] = false
}

proctype user(byte me)
{
	byte round, i, flip;
	bool open, mine, lost;

	do
	:: round < ROUNDS ->
		round++;
		if
		:: !gates -> make(i, flip, mine)
		:: else
		fi;
		/* A call, a fault inside a call, or only a fault. */
		if
		:: true ->
			do
			:: try_fast(IO, open);
				try_slow(IO, open);
				if
				:: open -> break
				:: else -> !(shut[IO] & SHUT)
				fi
			od;
			filled = true;
			if
			:: true ->
				do
				:: try_fast(FAULT, open);
					try_slow_nested(open);
					if
					:: open -> break
					:: else -> !(shut[FAULT] & SHUT)
					fi
				od;
				leave(FAULT, open)
			:: true
			fi;
			leave(IO, open)
		:: true ->
			do
			:: try_fast(FAULT, open);
				try_slow(FAULT, open);
				if
				:: open -> break
				:: else -> !(shut[FAULT] & SHUT)
				fi
			od;
			filled = true;
			/* The VMA is gone, and its file with it (H4). */
			if
			:: round == ROUNDS -> lost = true; references--
			:: true
			fi;
			leave(FAULT, open)
		:: true
		fi
	:: else -> break
	od;
	if
	:: !lost -> references--
	:: else
	fi
}

/* dxs_slow_gates() */
inline slow_gates(i)
{
#ifdef LATE_SLOW
	shut[IO] = shut[IO] | SLOW;
	grace_period(i);
	shut[FAULT] = shut[FAULT] | SLOW
#else
	shut[IO] = shut[IO] | SLOW;
	shut[FAULT] = shut[FAULT] | SLOW;
#ifndef NO_GRACE
	grace_period(i)
#endif
#endif
}

/* dxs_fast_gates() */
inline fast_gates()
{
	shut[FAULT] = shut[FAULT] & ~SLOW;
	shut[IO] = shut[IO] & ~SLOW
}

/* dxs_gate_shut(), which ends by timeout or signal */
inline shut_gate(gate, refused)
{
	shut[gate] = shut[gate] | SWITCH;
	if
	:: !count[gate]
#ifndef SHUT_FIRST
	:: true ->
		refused = true;
		shut[gate] = shut[gate] & ~SWITCH
#endif
	fi
}

/* Switches, serialized by the switch lock. */
proctype switcher(byte me)
{
	byte n, i, flip;
	bool slowed, had, made, refused, flipped;

	do
	:: n < SWITCHES ->
		n++;
		refused = false;
		flipped = false;
		slowed = gates;
		if
		:: slowed -> slow_gates(i)
		:: else
		fi;
		/* dxs_switching_begin() */
		atomic {
			had = gates;
#ifdef ANY_SWITCH
			unseen = true
#else
#ifdef BOOLEAN
			unseen = true
#else
			unseen = !gates
#endif
#endif
		}
		/* Gates were allocated meanwhile: another attempt. */
		if
		:: had && !slowed -> goto out
		:: else
		fi;
#ifdef SHUT_FIRST
		if
		:: had -> shut[FAULT] = shut[FAULT] | SWITCH
		:: else
		fi;
#endif
		if
		:: had -> shut_gate(IO, refused)
		:: else
		fi;
		if
		:: refused -> goto out
		:: else
		fi;
		/* s_umount, another mount, trimming */
		if
		:: true -> goto open_io
		:: true
		fi;
		if
		:: had -> shut_gate(FAULT, refused)
		:: else
		fi;
		if
		:: refused -> goto open_io
		:: else
		fi;
		/* a veto, an error, pins; or none */
		if
		:: true
		:: true ->
			assert(!inside[IO] && !inside[FAULT]);
			filled = false;
			atomic {
				mode = !mode;
				flips++;
				unsettled = true;
				flipped = true
			}
			if
			:: had && mode == CACHED -> settle(i, flip)
			:: else
			fi
		fi;
		if
		:: had -> shut[FAULT] = shut[FAULT] & ~SWITCH
		:: else
		fi;
open_io:
		if
		:: had -> shut[IO] = shut[IO] & ~SWITCH
		:: else
		fi;
out:
		skip;
		/* dxs_switching_end() */
		atomic {
#ifdef BOOLEAN
			made = gates != had;
			unseen = made
#else
			made = gates && !had;
			if
			:: !made -> unseen = false
			:: else
			fi
#endif
		}
		if
		:: made ->
			settle(i, flip);
			UNDER_LOCK {
				unseen = false;
				open_new()
			}
		:: else
		fi;
		if
		:: slowed -> fast_gates()
		:: else
		fi
	:: else -> break
	od;
	references--
}

/* dax_lock_mapping_entry(): tests the mode under RCU, and acts on it later */
proctype observer(byte me)
{
	bool seen;

	section[me] = true;
	seen = mode;
	/* It takes the entries of a filled mapping for DAX entries. */
	assert(!(seen == DAX && mode == CACHED && filled));
	section[me] = false
}

proctype evict()
{
	byte i;

	!references;
	assert(!(shut[IO] & ~UNMADE) && !shut[FAULT]);
	/* dxs_gate_retire() */
	shut[FAULT] = shut[FAULT] | EVICT;
	if
	:: inside[FAULT] ->
		grace_period(i);
		!inside[FAULT]
	:: else
	fi;
	/* dxs_free_inode() */
	grace_period(i);
	freed = true
}

init
{
	atomic {
		shut[IO] = UNMADE;
		references = USERS + 1;
		run user(0);
		run user(1);
		run switcher(USERS);
		run observer(USERS);
		run evict()
	}
}
