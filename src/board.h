/*
 * board.h -- shared memory: who lives, whom to wake.  Absent without preload:
 * then every function is a no-op that says "nobody".
 *
 * "Here" means: in the database this process is connected to.
 */
#ifndef WF_BOARD_H
#define WF_BOARD_H

#include "datatype/timestamp.h"

extern void wf_board_init(void);		/* from _PG_init when preloading */
extern bool wf_board_present(void);

/* At commit of a transaction that appended for an owner of this database:
 * wakes its executor, or else the coordinator.  Raises nothing. */
extern void wf_board_wake_owner(int owner);
extern void wf_board_wake_coordinator(void);
extern void wf_board_wake_launcher(void);
/* At commit of a transaction that left something to send: wakes who delivers here, or
 * else the coordinator, which starts a worker. */
extern void wf_board_wake_delivery(void);
/* What owners may do is changing: wakes the coordinators of all databases.  The
 * commit callback comes before others hear of the change, so they look once
 * more later; the number tells them. */
extern void wf_board_rights_changed(void);
extern uint32 wf_board_rights(void);
/* Everybody here: the clock moved, a prepared transaction was committed. */
extern void wf_board_wake_all(void);
/* CREATE EXTENSION committed here / asks for a coordinator. */
extern void wf_board_announce(void);

/* Executor's seat. take: false if none is free, the owner has one, or the
 * workers of the database were asked to stop.  Without board always true: the
 * owner's lock alone decides. */
extern bool wf_board_take_seat(int owner);
extern void wf_board_release_seat(void);
extern uint32 wf_board_take_pending(void);		/* exchange with 0, full barrier */
extern void wf_board_set_idle(bool idle);
/* Coordinator asked the longest idle executor to go, or all must stop. */
extern bool wf_board_asked_to_leave(void);
/* Everything up to this engine time is consumed, timers included. */
extern void wf_board_set_drained(TimestampTz upto);
/* false: no live executor of that owner. */
extern bool wf_board_drained(int owner, TimestampTz *upto);

/* What the coordinator sees of the seats here. */
typedef struct BoardSeat
{
	int			owner;
	bool		background;				/* false: CALL automation.run() */
	bool		leaving;				/* asked to */
	TimestampTz since;					/* seated; server's clock */
	TimestampTz idle_since;				/* server's clock; 0 = at work */
} BoardSeat;

#define BOARD_RUN_SEATS 4				/* seats for automation.run(), beside wf_max_executors */

/* Fills seats[wf_max_executors + BOARD_RUN_SEATS]; returns how many are taken. */
extern int	wf_board_seats(BoardSeat *seats);
extern void wf_board_ask_to_leave(int owner);

/*
 * The place of who delivers here: the delivery worker, or CALL automation.deliver().
 * enter: false if it is taken or the workers were asked to stop; without board always
 * true: the lock alone decides.
 */
extern bool wf_board_delivery_enter(void);
extern void wf_board_delivery_leave(void);
extern uint32 wf_board_delivery_pending(void);	/* exchange with 0, full barrier */
/* The database is wanted alone: there is no time to wait for what is on its way. */
extern bool wf_board_delivery_in_the_way(void);
/* Everything that was due at this engine time and may leave has left, and is recorded. */
extern void wf_board_set_delivered(TimestampTz upto);
/* false: nobody delivers here. */
extern bool wf_board_delivered(TimestampTz *upto);

/* How a coordinator ended, or that it lives. */
typedef enum
{
	COORDINATOR_NONE,					/* never began, or died */
	COORDINATOR_LIVES,
	COORDINATOR_STOPPED,				/* asked to: SIGTERM, or the database is being dropped */
	COORDINATOR_ABSENT,					/* the extension is not installed */
	COORDINATOR_REFUSED					/* something is wrong with the engine's tables */
} CoordinatorState;

/* Coordinator's own entry. enter: false if there is one already, the workers
 * were asked to stop, or the board is full.  verdict: what leaving will mean,
 * by leave or by the end of the process; COORDINATOR_NONE at first. */
extern bool wf_board_coordinator_enter(void);
extern void wf_board_coordinator_verdict(CoordinatorState why);
extern void wf_board_coordinator_leave(void);
extern CoordinatorState wf_board_coordinator_state(void);	/* here */
extern uint32 wf_board_coordinator_pending(void);	/* exchange with 0, full barrier */

/* Launcher. */
typedef struct BoardDatabase
{
	Oid			database;
	CoordinatorState state;
	bool		announced;				/* since the last call */
	bool		suspended;				/* no worker may start */
} BoardDatabase;

#define BOARD_DATABASES 64				/* with the extension, per server */

extern void wf_board_launcher_enter(void);
/* Fills databases[BOARD_DATABASES], takes the announcements; returns how many.
 * *rescan: an announcement had no room, look at every database. */
extern int	wf_board_databases(BoardDatabase *databases, bool *rescan);
/* Makes room for a database before its coordinator starts; false: full. */
extern bool wf_board_expect(Oid database);
/* Forgets a database without workers: dropped, or without the extension. */
extern void wf_board_forget(Oid database);

/*
 * For DDL that needs a database nobody is connected to.
 * suspend: no worker of it may start for the next seconds, those that live get
 * SIGTERM; false: the board knows no such database.
 * busy: some still live.
 * resume: they may start again, and the launcher looks whether the database
 * exists and has the extension; also for a new database.
 */
extern bool wf_board_suspend(Oid database, int seconds);
extern bool wf_board_busy(Oid database);
extern void wf_board_resume(Oid database);

#endif
