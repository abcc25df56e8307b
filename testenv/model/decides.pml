	/* The target loop, "the store decides": look, compare, work, look again. The event only points at
	 * the key; neither its version nor its sequencer decides anything. Part of record.pml. */

	/* A small object that has no record yet: one GET is the look and the reading, one PUT. */
	:: atomic { STEP(SMALL_GET) -> EFFECT;
		tag = NOW; digest = content[now];
		printf("worker %d  loop          reads the object: version %d\n", me, tag);
		pc = (tag -> PUT : LOOK_FIRST) }
	/* The record is looked at before the object. So what is written on the condition that the record
	 * is still the same cannot replace the record of a newer version. OBJECT_FIRST is a mutant. */
	:: atomic { STEP(RECORD) -> EFFECT;
		etag = REC_ETAG;
		printf("worker %d  loop          looks at the record: of version %d\n", me, rec);
#ifdef OBJECT_FIRST
		compare(tag, rec)
#else
		tag = rec; pc = OBJECT
#endif
		}
	:: atomic { STEP(OBJECT) -> EFFECT;
		printf("worker %d  loop          looks at the object: version %d\n", me, NOW);
#ifdef OBJECT_FIRST
		tag = NOW; pc = RECORD
#else
		compare(NOW, tag)
#endif
		}
	:: atomic { STEP(READ_FIRST) -> EFFECT;
#ifdef KILLER
		if
		:: !lost -> giveBack()
		:: else
		fi;
		printf("worker %d  loop          is killed by the object\n", me);
		done = 0; doneBy = 0; doneAt = 0; idle()
#else
		digest = PART;
		pc = (digest -> READ_SECOND : LOOK_FIRST);
		printf("worker %d  loop          reads content %d of version %d\n", me, digest, tag)
#endif
		}
	:: atomic { STEP(READ_SECOND) -> EFFECT;
		if
		:: PART == 0 -> digest = 0; pc = LOOK_FIRST
		:: else -> digest = (PART == digest -> digest : TORN); pc = PUT
		fi }
	:: atomic { STEP(PUT) -> EFFECT;
		if
#ifdef UNCONDITIONAL_WRITE
		:: true ->
#else
		:: REC_ETAG == etag ->
#endif
			write(etag == digest * 2); etag = 0;
			printf("worker %d  loop          writes the record of version %d\n", me, rec);
			answered(AGAIN)
		:: else -> etag = 0; digest = 0; pc = LOOK_FIRST; printf("worker %d  loop          cannot write the record: it changed\n", me)
		fi }
	:: atomic { STEP(DELETE) -> EFFECT;
		if
		:: rec && REC_ETAG == etag ->
			rec = 0; recDigest = 0; recSequencer = 0; recStar = 0; wrote = true; etag = 0; tag = 0;
			printf("worker %d  loop          removes the record\n", me);
			answered(AGAIN)
		:: else -> etag = 0; pc = LOOK_FIRST; printf("worker %d  loop          cannot remove the record: it changed\n", me)
		fi }
	:: atomic { STEP(AGAIN) -> EFFECT;
		printf("worker %d  loop          looks at the object again: version %d\n", me, NOW);
		digest = 0;
		if
		:: NOW == tag -> finish()
		:: else -> pc = LOOK_FIRST
		fi }
