/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model of the gates' protocol (module/gate.[ch], and in module/inode.c
 * dxs_make_gates(), dxs_switching_begin(), dxs_switching_end(),
 * dxs_evict_inode()), for spin. tests/gates.sh runs it.
 *
 * Users read and fault, the first of them makes the gates; switches follow one
 * another, each refused at any step or not; an observer goes by the mode under
 * RCU; at the end the inode is evicted. What must hold in every interleaving:
 *
 *  - nobody waits for ever: at the end every process has ended;
 *  - at the end both gates are open (H40);
 *  - the mode changes while nobody is inside;
 *  - a mapping that left dax mode is filled when no observer goes by that mode
 *    any more (H31);
 *  - nobody touches a gate that is freed (H4).
 *
 * Wakeups are not modelled: a wait ends when its condition holds.
 *
 * Faulty protocols, which must be found out:
 *
 *  -DBOOLEAN    ->shut is one bit for all, and whoever makes the gates leaves
 *               them to any switch that is under way
 *  -DANY_SWITCH whoever makes the gates leaves them to any switch
 *  -DNO_SWITCH  ... to none
 *  -DNO_SETTLE  ... and does not wait for observers
 *  -DNO_RCU     whoever leaves a shut gate is outside of RCU
 *  -DNO_GRACE   a switch does not wait for a grace period
 *  -DLATE_MAP   who maps for the first time says so inside the fault gate
 */
#define USERS		2
#define ROUNDS		(2 - me)	/* of user @me */
#define SWITCHES	2

#define IO		0
#define FAULT		1

#define CACHED		0
#define DAX		1

/* The inode's i_lock, which only faulty protocols need there. */
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

byte shut[2];
byte inside[2];
bool gates;		/* published */
bool unseen;		/* ->unseen_switch */
bool mode;
bool filled;		/* the mapping */
bool unsettled;		/* no grace period has passed since ->flip_rcu */
byte flips;
bool freed;
bool mapped;		/* ->used of the fault gate */
byte references;	/* to the inode, of users and of switches */
bool section[USERS + 1];	/* read-side critical sections of RCU */

/* A grace period: whoever was in a section has been seen outside. */
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
 * dxs_make_gates(). What is atomic here has the inode's i_lock; more has it than
 * needs it.
 */
inline make(i, flip, mine)
{
	mine = false;
	atomic {
		if
		:: !gates ->
			gates = true;
			if
			:: unseen || unsettled ->
				mine = true;
				shut[IO] = NEW;
				shut[FAULT] = NEW
			:: else
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

/* __dxs_gate_try_enter() */
inline try_enter(gate, open)
{
	section[me] = true;
	open = !shut[gate];
	if
	:: open -> inside[gate]++
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
	inside[gate]--;
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
			:: try_enter(IO, open);
				if
				:: open -> break
				:: else -> !shut[IO]
				fi
			od;
			filled = true;
			if
			:: mapped ->
				do
				:: try_enter(FAULT, open);
					if
					:: open -> break
					:: else -> !shut[FAULT]
					fi
				od;
				leave(FAULT, open)
			:: true
			fi;
			leave(IO, open)
		:: true ->
#ifndef LATE_MAP
			mapped = true;
#endif
			do
			:: try_enter(FAULT, open);
				if
				:: open -> break
				:: else -> !shut[FAULT]
				fi
			od;
#ifdef LATE_MAP
			mapped = true;
#endif
			filled = true;
			/* The VMA is lost, and the file with it (H4). */
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

/* dxs_gate_shut(), which gives up after a time or by a signal */
inline shut_gate(gate, used, i, refused)
{
	shut[gate] = shut[gate] | SWITCH;
	if
	:: used ->
#ifndef NO_GRACE
		grace_period(i);
#endif
		if
		:: !inside[gate]
		:: true ->
			refused = true;
			shut[gate] = shut[gate] & ~SWITCH
		fi
	:: else
	fi
}

/* Switches, one after the other: the switch lock. */
proctype switcher(byte me)
{
	byte n, i, flip;
	bool had, made, refused, flipped;

	do
	:: n < SWITCHES ->
		n++;
		refused = false;
		flipped = false;
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
		if
		:: had -> shut_gate(IO, true, i, refused)
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
		:: had -> shut_gate(FAULT, mapped, i, refused)
		:: else
		fi;
		if
		:: refused -> goto open_io
		:: else
		fi;
		/* a veto, an error, pins; or not */
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
		fi
	:: else -> break
	od;
	references--
}

/* dax_lock_mapping_entry(): tests the mode under RCU, and acts a moment later */
proctype observer(byte me)
{
	bool seen;

	section[me] = true;
	seen = mode;
	/* DAX entries are what it takes a filled mapping to hold. */
	assert(!(seen == DAX && mode == CACHED && filled));
	section[me] = false
}

proctype evict()
{
	byte i;

	!references;
	assert(!shut[IO] && !shut[FAULT]);
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
		references = USERS + 1;
		run user(0);
		run user(1);
		run switcher(USERS);
		run observer(USERS);
		run evict()
	}
}
