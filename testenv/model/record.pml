/* The promise of bucketsum as a small model that SPIN searches completely: one key of a bucket, its
 * record, its events in a queue, two workers. README.md beside this file says what is modelled, what
 * is left out, and how to add a switch. `.ci/model` runs everything.
 *
 * One atomic block is one request to the store or to the queue. Everything else (other requests,
 * changes of the object, crashes) can happen between two blocks. Each block names its source file.
 */

/* The size of a run. */
#ifndef CHANGES
#define CHANGES 3   /* of the object: put, overwrite, delete, put back */
#endif
#ifndef DOUBLES
#define DOUBLES 1   /* events that the store sends twice */
#endif
#ifndef TROUBLES
#define TROUBLES 1  /* crashes, lost leases, failed requests and lost answers, together */
#endif
#ifndef DELIVERIES
#define DELIVERIES 2 /* a message that fails on this one becomes a dead letter (ten in the program) */
#endif
#define MESSAGES (CHANGES + DOUBLES)
#if defined(MEMORY_OF_EVENTS) || defined(MEMORY_OF_DONE_EVENTS)
#define MEMORY
#endif

mtype = { never_wrong, never_back, no_lost_message, recorded_or_dead_lettered,
	no_record_without_object, lease_exclusive_or_harmless, dead_letter_with_reason };

/* ONLY checks one property, EXCEPT all but one. */
#if defined(ONLY)
#define CHECKED(p) (p == ONLY)
#elif defined(EXCEPT)
#define CHECKED(p) (p != EXCEPT)
#else
#define CHECKED(p) true
#endif
inline must(holds, p) {
	if
	:: !CHECKED(p) || (holds)
	:: else -> printf("violated: %e\n", p); assert(false)
	fi
}

/* ---- The store. ----
 * content[i] is what the key holds after change i: 0 nothing, else content 1 or 2. A tag is what
 * identifies a version: the ETag (equal for equal content), with VERSIONED the version id. */
byte content[CHANGES + 1];
byte now;                      /* the last change */
bit lies[CHANGES + 1];         /* the event of the change names a version that the store does not have */
byte restarted;                /* the last change before the sequencers restarted; 0: they did not */
#ifdef VERSIONED
#define TAG(i) ((content[i] != 0) * (i))
#define CONTENT(tag) content[tag]
#define READABLE(tag) (tag <= now)
#else
#define TAG(i) content[i]
#define CONTENT(tag) (tag)
#define READABLE(tag) (tag == content[now])
#endif
#define NOW TAG(now)           /* the answer of HEAD; 0: not found */
#define LIE 8                  /* a tag that no version has */
#define TORN 9                 /* the digest of parts of two versions */
#define SEQUENCER(i) ((i) + (restarted && (i) > restarted -> 0 : 8))
#define EVENT_TAG (lies[event[m]] -> LIE : TAG(event[m])) /* what the event says; only mutants read it */

/* The record: the version that it names (0: there is no record), and the digest in its line. Its own
 * ETag depends on its line only. The star is the asterisk by which records.go distinguishes two equal
 * lines (sidecar.go: withAsterisk). */
byte rec, recDigest;
bit recStar;
#ifdef SUPERSEDED_BY_SEQUENCER
byte recSequencer; /* of the event that the record was written for */
#endif
#define REC_ETAG ((rec != 0) * (recDigest * 2 + recStar))
#define AGREES (rec == NOW && (rec == 0 || recDigest == CONTENT(rec)))

/* ---- The queue. ---- */
#define VISIBLE 1
#define HELD 2
#define DELETED 3
byte event[MESSAGES + 1];      /* the change that the message reports */
byte queued[MESSAGES + 1];     /* 0: not sent yet */
byte deliveries[MESSAGES + 1];
bit dead[MESSAGES + 1];        /* it is in the dead letters */
byte open;                     /* messages that are visible or held */
byte letters;                  /* dead letters */
byte doubles = DOUBLES, troubles = TROUBLES;
byte busy;                     /* workers that work, with or without a lease */
byte looking;                  /* those that have begun a write and lost their lease: they look again */
bit over, redriven;

inline quiet() { /* at quiescence, after each change */
	if
	:: open == 0 && busy == 0 && letters == 0 ->
		must(NOW == 0 || AGREES, recorded_or_dead_lettered);
		must(NOW != 0 || rec == 0, no_record_without_object)
	:: else
	fi
}
inline deleteMessage(i) {
	queued[i] = DELETED; open--;
	/* If all workers died now, another message would still bring the work about; except that of a worker
	 * which goes on after its lease. */
	must(NOW == 0 || AGREES || open > 0 || letters > 0 || looking > 0, no_lost_message)
}

/* ---- The user. ---- */
inline send(i, e) { event[i] = e; queued[i] = VISIBLE; open++ }
#ifdef SCRIPT /* put, overwrite, delete, put back */
#define MAY_PUT(c) (now == 0 && c == 1 || now == 1 && c == 2 || now == 3)
#define MAY_DELETE (now == 2)
#elif defined(NEW_CONTENT) /* each put has another content */
#define MAY_PUT(c) (c == 1)
#define MAY_DELETE (content[now] != 0)
#else /* the first content is 1: names do not matter */
#define MAY_PUT(c) (c == 1 || now > 0)
#define MAY_DELETE (content[now] != 0)
#endif
active proctype user() {
	byte c;
	do
	:: atomic { now < CHANGES ->
		if
		:: MAY_PUT(1) -> c = 1; printf("user      puts an object: change %d\n", now + 1)
		:: MAY_PUT(2) -> c = 2; printf("user      puts another content: change %d\n", now + 1)
		:: MAY_DELETE -> c = 0; printf("user      deletes the object: change %d\n", now + 1)
		fi;
		now++;
#ifdef NEW_CONTENT
		c = (c -> now : 0);
#endif
		content[now] = c;
		c = 0;
		if
		:: true
#ifdef RESTARTED_SEQUENCERS
		:: now > 1 && restarted == 0 -> restarted = now - 1; printf("store     its sequencers restart with change %d\n", now)
#endif
		fi;
		if
		:: true
#ifdef LYING_ETAG
		:: content[now] -> lies[now] = 1; printf("store     the event of change %d names a version that does not exist\n", now)
#endif
		fi;
		send(now, now);
		if
		:: true
		:: doubles > 0 -> send(CHANGES + doubles, now); doubles--; printf("store     sends the event of change %d twice\n", now)
		fi }
	:: now == CHANGES -> break
	od
}

/* At the end the operator redrives the dead letters, with the causes of failures mended. */
active proctype operator() {
	byte i;
	do
	:: atomic { now == CHANGES && open == 0 && busy == 0 && letters > 0 && !redriven ->
		redriven = true; troubles = 0;
		i = 1;
		do
		:: i <= MESSAGES ->
			if
			:: dead[i] -> dead[i] = 0; letters--; deliveries[i] = 0; queued[i] = VISIBLE; open++; printf("operator  redrives message %d\n", i)
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0 }
	:: atomic { now == CHANGES && open == 0 && busy == 0 && (letters == 0 || redriven) -> over = true; break }
	od
}

/* ---- The worker: one process, one event of the key at a time (dedupe.go's lock). ---- */
#define IDLE 0
#define ACK 1
#define NACK 2
#define DEAD 3
/* handlers/reconcile.go */
#define SMALL_GET 4
#define RECORD 5
#define OBJECT 6
#define READ_FIRST 7
#define READ_SECOND 8
#define PUT 9
#define DELETE 10
#define AGAIN 11
#ifdef OBJECT_FIRST
#define LOOK_FIRST OBJECT
#else
#define LOOK_FIRST RECORD
#endif

/* When the lease is lost, the work stops, and a request has no effect any more; except that a handler which has
 * begun a write goes on until a look shows that all is right (reconcile.go: lasting). The program gives it
 * four seconds. If they are not enough, that is a death. */
#ifdef LOOK_ENDS_WITH_THE_LEASE
#define GOES_ON false
#else
#define GOES_ON (pc == PUT || pc == DELETE || (pc > DEAD && wrote))
#endif
/* With LATE_REQUEST the one request that is under way when the lease is lost still takes effect, because its
 * worker was frozen or the network slow. */
#ifdef LATE_REQUEST
#define UNDER_WAY (!late)
#else
#define UNDER_WAY false
#endif
#ifdef WORK_AFTER_LOST_LEASE
#define MAY true
#define ARRIVES true
#else
#define MAY (!lost || UNDER_WAY || GOES_ON)
#define ARRIVES (!lost || UNDER_WAY || wrote)
#endif
#define STEP(at) pc == at && MAY
#define EFFECT late = (lost -> 1 : late)

inline idle() {
	looking = looking - (lost && wrote);
	pc = IDLE; m = 0; tag = 0; etag = 0; digest = 0; attempt = 0; lost = 0; late = 0; wrote = 0; busy--;
	quiet()
}
/* The memory of a process: dedupe.go remembers events, which is only a hint to look first. Mutants skip them. */
inline forgetAll() {
#ifdef MEMORY
	memory = 0
#else
	skip
#endif
}
inline look() { tag = 0; etag = 0; digest = 0; pc = LOOK_FIRST }
/* reconcile.go. The first handling of an event may begin with the reading; whatever the event says. */
inline begin(first) {
	if
#ifdef MEMORY
	:: attempt == 1 && (memory & (1 << event[m])) -> pc = ACK; printf("worker %d  dedupe.go     it remembers event %d\n", me, event[m])
	:: else ->
#else
	:: true ->
#endif
#ifdef MEMORY_OF_EVENTS
		memory = memory | (1 << event[m]);
#endif
		if
		:: look()
		:: first && attempt == 1 -> pc = SMALL_GET
		fi
	fi
}
inline receive(i) {
	m = i; queued[m] = HELD; busy++;
	deliveries[m] = (deliveries[m] <= DELIVERIES -> deliveries[m] + 1 : deliveries[m]);
	attempt = deliveries[m];
	printf("worker %d  receives event %d, delivery %d of message %d\n", me, event[m], deliveries[m], m);
#ifdef ACK_BEFORE_RECORD
	deleteMessage(m);
#endif
#ifdef BEYOND_LIMIT_WORKED
	begin(true)
#else
	if
	:: deliveries[m] > DELIVERIES -> pc = DEAD; printf("worker %d  limit.go     interrupted too often: it gives up without work\n", me)
	:: else -> begin(true)
	fi
#endif
}
/* The work is done, and the router acks. */
inline finish() {
#ifdef MEMORY_OF_DONE_EVENTS
	memory = memory | (1 << event[m]);
#endif
	looking = looking - (lost && wrote); wrote = false;
	pc = ACK
}
/* errors.go, ClassSuperseded: the router acks. */
inline superseded() { pc = ACK; printf("worker %d  errors.go     superseded: it acks\n", me) }
/* errors.go, ClassTransient */
inline fail() {
	wrote = false;
	if
	:: printf("worker %d  retry.go      retries\n", me); begin(false)
#ifdef ACK_BEFORE_DEAD_LETTER
	:: attempt >= DELIVERIES -> if
		:: queued[m] == HELD && !lost -> deleteMessage(m)
		:: else
		fi;
		pc = DEAD
#else
	:: attempt >= DELIVERIES -> pc = DEAD
#endif
	:: attempt < DELIVERIES -> pc = NACK
	fi
}
inline giveBack() { queued[m] = VISIBLE }
/* The record is written. digest is of what was read, tag is the version that it is named for. */
inline write(star) {
	must(digest == CONTENT(tag), never_wrong);
#ifdef NEVER_BACK
	must(rec <= tag, never_back); /* tags grow with VERSIONED only */
#endif
	rec = tag; recDigest = digest; recStar = star;
#ifdef SUPERSEDED_BY_SEQUENCER
	recSequencer = SEQUENCER(event[m])
#endif
}
/* The handler has begun a write. */
inline begun() { looking = looking + (lost && !wrote); wrote = true }
/* The lease was lost before the write came about. The handler cannot know that, so it looks. */
inline cancelled() {
	begun(); look();
	printf("worker %d  lasting       cannot know whether its write happens, and goes on without its lease\n", me)
}
/* A request that came about, whose answer may get lost. */
inline answered(next) {
	if
	:: pc = next
	:: lost -> look()
	:: troubles > 0 && !lost -> troubles--; printf("worker %d                the answer is lost\n", me); fail()
	fi
}
/* A part of the content of version tag, into c; 0 if it is gone or changed. */
#ifdef UNPINNED_READ
#define PART content[now]
#else
#define PART (READABLE(tag) * CONTENT(tag))
#endif
/* reconcile.pml: what is to be done for the object's version and the record's? */
inline compare(object, record) {
	if
#ifdef SUPERSEDED_BY_SEQUENCER
	:: rec && recSequencer >= SEQUENCER(event[m]) -> superseded()
#endif
#ifdef LYING_EVENT_BELIEVED
	:: object && EVENT_TAG != object -> superseded()
#endif
	:: object == record -> tag = object; finish()
	:: object == 0 && record -> tag = 0; pc = DELETE
	:: object && object != record -> tag = object; pc = READ_FIRST
	fi
}
proctype worker(byte me) {
	byte pc, m, attempt;
	byte tag;    /* the version that it works on */
	byte etag;   /* of the record that the worker looked at */
	byte digest; /* of what it read */
#ifdef MEMORY
	byte memory; /* events, as bits */
#endif
	bit lost, late;
	bit wrote;   /* it has begun a write in this handling */
	do
	:: atomic { pc == IDLE && queued[1] == VISIBLE -> receive(1) }
#if CHANGES + DOUBLES > 1
	:: atomic { pc == IDLE && queued[2] == VISIBLE -> receive(2) }
#endif
#if CHANGES + DOUBLES > 2
	:: atomic { pc == IDLE && queued[3] == VISIBLE -> receive(3) }
#endif
#if CHANGES + DOUBLES > 3
	:: atomic { pc == IDLE && queued[4] == VISIBLE -> receive(4) }
#endif
#if CHANGES + DOUBLES > 4
	:: atomic { pc == IDLE && queued[5] == VISIBLE -> receive(5) }
#endif

	/* pipeline/queue/deliver.go: settle. The queue refuses the receipt of a lease that is lost. */
	:: atomic { STEP(ACK) ->
		if
		:: queued[m] == HELD && !lost -> printf("worker %d  deliver.go    acks message %d\n", me, m); deleteMessage(m)
		:: else -> printf("worker %d  deliver.go    its ack of message %d is refused\n", me, m)
		fi;
		idle() }
	:: atomic { STEP(NACK) ->
		printf("worker %d  deliver.go    nacks message %d\n", me, m);
		if
#ifdef NACK_DELETES
		:: queued[m] == HELD && !lost -> deleteMessage(m)
#else
		:: queued[m] == HELD && !lost -> giveBack()
#endif
		:: else
		fi;
		idle() }
	/* poison.go, under the live lease: the dead letter is stored before the ack. */
	:: atomic { STEP(DEAD) ->
		must(!lost || !late, lease_exclusive_or_harmless); EFFECT;
		printf("worker %d  poison.go     dead-letters message %d\n", me, m);
#ifdef DEAD_LETTER_WITHOUT_REASON
		must(false, dead_letter_with_reason);
#endif
		letters = (dead[m] -> letters : letters + 1);
		dead[m] = 1;
		if
		:: pc = ACK
		:: troubles > 0 && !lost -> troubles--; pc = NACK; printf("worker %d                the answer is lost\n", me)
		fi }

	/* A request fails. It did not come about. A worker without a lease makes no request that could. */
#ifdef WORK_AFTER_LOST_LEASE
#define MAY_FAIL true
#else
#define MAY_FAIL !lost
#endif
	:: atomic { pc > NACK && MAY && troubles > 0 && MAY_FAIL ->
		troubles--;
		printf("worker %d                a request fails\n", me);
		if
		:: pc == DEAD -> pc = NACK
		:: else -> fail()
		fi }
	/* The worker dies. Its lease runs out, which is the same as a message that is visible later. */
#ifdef LATE_DEATH
#define MAY_DIE true
#else
#define MAY_DIE !(lost && wrote) /* README.md: late-write-and-death */
#endif
	:: atomic { pc != IDLE && troubles > 0 && MAY_DIE ->
		troubles--;
		printf("worker %d  dies and starts again\n", me);
		if
		:: queued[m] == HELD && !lost -> giveBack()
		:: else
		fi;
		forgetAll();
		idle() }
	/* hold.go: the lease is lost, because the worker was frozen or its heartbeat failed. */
	:: atomic { pc != IDLE && !lost && queued[m] == HELD && troubles > 0 ->
		troubles--;
		printf("worker %d  hold.go       loses its lease of message %d\n", me, m);
		giveBack();
		looking = looking + wrote;
		lost = true }
	:: atomic { pc != IDLE && !MAY -> printf("worker %d  hold.go       stops without its lease\n", me); idle() }

#include "reconcile.pml"
	:: over -> break
	od
}

init { atomic { run worker(1); run worker(2) } }
