/*
 * outbox.pml -- a message with its licence to leave: the step's end cancels, the
 * delivery worker claims and sends, a user suppresses, and everything crashes.
 *
 * One message.  due: the row in outgoing_due, inflight: the row in inflight, state: of the row
 * in outgoing; each as committed, and (*_d) as flushed, which is what a crash leaves.  Deleting
 * due is the licence: the worker skips the row if it is locked, who cancels waits for the lock
 * and decides on the row as it is then.  marketing: a mail of that class, whose orphans end as
 * unknown; else the orphan is sent again.  Both are looked at.
 *
 * Flaws, each of which must fail:
 *   NORECHECK suppressions are looked at before the claim is committed, not after
 *   EARLY the connection is made before the claim is committed
 *   ASYNC the claim is committed but not flushed before the connection is made
 *   FORGET what a dead worker left in inflight is not looked for
 *   NOREREAD who cancels decides on the licence as it was read, not as it was locked
 *   BOTH who cancels ends the message without deleting the licence
 *   RETRY the attempt ends and the next one is due in two transactions
 */
mtype = { queued, sent, cancelled, unknown };

mtype state = queued, state_d = queued;
bit due = 1, due_d = 1;
bit inflight = 0, inflight_d = 0;
bit lockd = 0;					/* lock of the row in outgoing_due */
bit marketing = 0;
bit suppressed = 0;				/* committed */
bit in_time = 0;				/* ... before the claim was */
bit cancel_done = 0;			/* somebody was told that it will not leave */
byte sends = 0;
byte done = 0;					/* user and executor have done what they do */
byte crashes = 2;
byte life = 0;					/* of the server */

/* A commit that is flushed: all that was committed before is, too. */
inline flush()
{
	state_d = state; due_d = due; inflight_d = inflight
}

proctype user()
{
	if
	:: atomic { suppressed = 1; in_time = (due == 1) }
	:: skip
	fi;
	done++
}

proctype executor()
{
	byte my;
	bit seen;
again:
	if
	:: my = life;
#ifdef NOREREAD
	   seen = due;
	   if
	   :: atomic { my == life && !lockd -> lockd = 1 }
	   :: my != life -> goto again
	   fi;
#else
	   if
	   :: atomic { my == life && !lockd -> lockd = 1; seen = due }
	   :: my != life -> goto again
	   fi;
#endif
	   if
	   :: atomic { my == life && lockd ->
			if
			:: seen && state == queued ->
			   state = cancelled; cancel_done = 1;
#ifndef BOTH
			   due = 0;
#endif
			   flush()
			:: else
			fi;
			lockd = 0 }
	   :: my != life -> goto again		/* rolled back: the item is done again */
	   fi
	:: skip
	fi;
	done++
}

/* A flush that comes some time after the commit. */
proctype flusher()
{
	do
	:: atomic { inflight && !inflight_d -> flush() }
	:: done == 2 && state != queued && !due && !inflight -> break
	od
}

proctype worker()
{
	byte my;
	bit stop;
start:
	atomic { my = life; stop = 0 }
#ifndef FORGET
	atomic {						/* nobody else works here: inflight is an orphan */
		if
		:: inflight && marketing -> inflight = 0; state = unknown; flush()
		:: inflight && !marketing -> inflight = 0; due = 1; flush()
		:: else
		fi
	}
#endif
	do
	:: my == life && due && !lockd ->
	   atomic {
		if
		:: my == life && due && !lockd -> lockd = 1
		:: else -> goto next
		fi }
#ifdef NORECHECK
	   stop = suppressed;
#endif
#ifdef EARLY
	   atomic {
		if
		:: my == life && !suppressed -> sends++
		:: else
		fi }
#endif
	   atomic {						/* the claim is committed */
		if
		:: my == life && lockd ->
		   due = 0; inflight = 1; lockd = 0;
#ifndef ASYNC
		   flush()
#endif
		:: else -> goto start
		fi }
#ifndef NORECHECK
	   atomic {						/* a snapshot taken after that */
		if
		:: my == life -> stop = suppressed
		:: else -> goto start
		fi }
#endif
	   if
	   :: atomic { stop && my == life -> inflight = 0; state = cancelled; flush(); stop = 0 }
	   :: !stop ->
#ifndef EARLY
		atomic {					/* connect and send */
			if
			:: my == life ->
			   assert(!in_time);
			   assert(!cancel_done);
			   sends++
			:: else -> goto start
			fi }
#endif
		if
		:: atomic { my == life -> inflight = 0; state = sent; flush() }
		:: sends < 2 && !marketing ->	/* the answer asks for another attempt */
#ifdef RETRY
			atomic {
				if
				:: my == life -> inflight = 0; flush()
				:: else -> goto start
				fi };
			atomic {
				if
				:: my == life -> due = 1; flush()
				:: else -> goto start
				fi }
#else
			atomic {
				if
				:: my == life -> inflight = 0; due = 1; flush()
				:: else -> goto start
				fi }
#endif
		:: my != life -> goto start
		fi
	   :: my != life -> goto start
	   fi
	:: my != life -> goto start
	:: my == life && done == 2 && crashes == 0 && !due && !lockd -> break
next:
	   skip
	od;
	/* every message is over, with no licence left and none on its way */
	assert(state != queued && !inflight);
	assert(state != sent || sends >= 1);
	assert(!marketing || sends <= 1);
	assert(state != cancelled || !cancel_done || sends == 0 || !marketing)
}

proctype crash()
{
	do
	:: atomic { crashes > 0 ->
		crashes--; life++; lockd = 0;
		state = state_d; due = due_d; inflight = inflight_d }
	:: atomic { crashes > 0 -> crashes = 0 }
	:: crashes == 0 -> break
	od
}

init {
	atomic {
		if
		:: marketing = 1
		:: marketing = 0
		fi;
		run user(); run executor(); run worker(); run crash();
#ifdef ASYNC
		run flusher()
#endif
	}
}
