/*
 * WAIT FOR a change: which changes count.
 *
 * Two users' transactions change a row that is waited for; each draws its number
 * (seq), commits some time later or never.  The executor reads what is committed,
 * in batches, and in one of them an enrollment begins to wait.  Items of that same
 * batch change the row, too: one before the wait is registered, one after it.
 * A batch may end early, and may be lost to a crash.
 *
 * The wait begins at the snapshot of the batch that registers it.  A change counts
 * if it is not visible in that snapshot; one that the batch itself makes, if its
 * number is greater than the one drawn when the wait was registered.
 *
 * Shown: what counts is what was committed after the wait began, nothing is lost,
 * nothing counts twice.  Flaws, each of which has to fail (spin -a -DNAME):
 *   CONSUMED   counts what is consumed after the registration
 *   BYSEQ      counts by the number alone
 *   OWNCOUNTS  counts all that the registering batch did itself
 *   OWNNEVER   counts nothing that it did itself
 *   LATESNAP   the snapshot is taken anew when the wait is registered
 *
 * test/models/run checks it and all flaws.
 */
#define USERS 2
#define EARLY 2							/* the batch's own change before the registration */
#define LATE 3							/* and after it */
#define START 4							/* what makes the enrollment enter */
#define ALL 5

/* What is in tables. */
bit alive[ALL];							/* committed and not consumed */
byte seq[ALL];
byte batch_of[ALL];						/* the executor's batch that made it; 0: a user */
bit waits;								/* registered and committed */
bit wait_snap[ALL];						/* what the snapshot of the wait sees */
byte wait_batch, wait_seq;
byte answers;							/* times it was answered */
bit entered;

byte next_seq = 1;
bit committed[ALL];
byte done;								/* users that have ended */
byte crashes = 1;

/* For the assertions only: which changes are after the beginning. */
bit began;								/* the snapshot of a batch that may register is taken */
bit is_before[ALL];

proctype user(byte me)
{
	atomic { seq[me] = next_seq; next_seq++ }
	if
	:: atomic { committed[me] = 1; alive[me] = 1; if :: !began -> is_before[me] = 1 :: else fi }
	:: skip
	fi;
	atomic { done++ }
}

/* Is the change after the beginning of the wait? */
inline judge(e, yes)
{
#ifdef CONSUMED
	yes = 1
#else
#ifdef BYSEQ
	yes = (seq[e] > l_wait_seq)
#else
	if
	:: batch_of[e] != 0 && batch_of[e] == l_wait_batch ->
#ifdef OWNCOUNTS
		yes = 1
#else
#ifdef OWNNEVER
		yes = 0
#else
		yes = (seq[e] > l_wait_seq)
#endif
#endif
	:: else -> yes = !l_snap[e]
	fi
#endif
#endif
}

/* What a batch keeps in memory is gone: fewer states. */
inline forget()
{
	i = 0;
	do
	:: i < ALL -> queue[i] = 0; used[i] = 0; made[i] = 0; l_snap[i] = 0; i++
	:: else -> break
	od;
	l_waits = 0; l_answers = 0; l_wait_batch = 0; l_wait_seq = 0; registers = 0; yes = 0; e = 0; best = 0; i = 0
}

active proctype executor()
{
	bit queue[ALL], used[ALL], l_snap[ALL], made[ALL];
	bit l_waits, yes, registers;
	byte l_answers, l_wait_batch, l_wait_seq, batch = 1, i, e, best;

	do
	:: atomic {							/* read: one snapshot */
		i = 0;
		do
		:: i < ALL -> queue[i] = alive[i]; used[i] = 0; made[i] = 0; i++
		:: else -> break
		od;
		l_waits = waits; l_answers = answers; l_wait_batch = wait_batch; l_wait_seq = wait_seq;
		i = 0;
		do
		:: i < ALL -> if :: waits -> l_snap[i] = wait_snap[i] :: else -> l_snap[i] = committed[i] fi; i++
		:: else -> break
		od;
		registers = 0;
		if
		:: !waits && !answers && !entered ->	/* the beginning, if this batch gets so far */
			began = 1;
			i = 0;
			do
			:: i < USERS -> is_before[i] = committed[i]; i++
			:: else -> break
			od
		:: else
		fi }
		do
		:: atomic {						/* the next item, in the order of numbers */
			best = ALL; i = 0;
			do
			:: i < ALL ->
				if
				:: queue[i] && (best == ALL || seq[i] < seq[best]) -> best = i
				:: else
				fi; i++
			:: else -> break
			od;
			if :: best == ALL -> goto commit :: else fi;
			e = best; queue[e] = 0; used[e] = 1 }
			if
			:: e == START ->
				if
				:: atomic { seq[EARLY] = next_seq; next_seq++; batch_of[EARLY] = batch; made[EARLY] = 1 }
				:: skip
				fi;
				atomic {
					l_waits = 1; registers = 1; l_wait_batch = batch; l_wait_seq = next_seq; next_seq++;
#ifdef LATESNAP
					i = 0;
					do
					:: i < ALL -> l_snap[i] = committed[i]; i++
					:: else -> break
					od;
#endif
					skip }
				if
				:: atomic { seq[LATE] = next_seq; next_seq++; batch_of[LATE] = batch; made[LATE] = 1 }
				:: skip
				fi
			:: e != START && l_waits -> atomic {
				judge(e, yes);
				if
				:: yes ->
					assert(e == LATE || (e < USERS && !is_before[e]));
					l_answers++; l_waits = 0
				:: else
				fi }
			:: else						/* nobody waits: it says nothing */
			fi
		:: goto commit					/* its time is over */
		od;
commit:
		if
		:: atomic {
			i = 0;
			do
			:: i < ALL ->
				if :: used[i] -> alive[i] = 0 :: else fi;
				if :: made[i] -> alive[i] = 1; committed[i] = 1 :: else fi;
				if :: registers -> wait_snap[i] = l_snap[i] :: else fi;
				i++
			:: else -> break
			od;
			if :: registers -> entered = 1; wait_batch = l_wait_batch; wait_seq = l_wait_seq :: else fi;
			if :: !registers && !entered -> began = 0 :: else fi;
			waits = l_waits; answers = l_answers; batch++; forget() }
		:: atomic { crashes > 0 -> crashes--; if :: !entered -> began = 0 :: else fi; batch++; forget() }
		fi;
		if
		:: atomic { done == USERS && !alive[0] && !alive[1] && !alive[EARLY] && !alive[LATE] && !alive[START] -> break }
		:: batch < 7
		:: atomic { batch >= 7 -> goto out }	/* so long no run needs to be */
		fi
	od;
	assert(answers <= 1);
	assert(!entered || answers == ((committed[0] && !is_before[0]) || (committed[1] && !is_before[1]) || committed[LATE]));
out:
	skip
}

init
{
	atomic { seq[START] = next_seq; next_seq++; committed[START] = 1; alive[START] = 1 }
	atomic { run user(0); run user(1) }
}
