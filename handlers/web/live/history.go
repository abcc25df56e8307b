package live

import "time"

const (
	stepTime  = time.Minute
	stepCount = 60
	// rateWindow is the time over which bytes per second are averaged; sampleEvery is how far its samples are apart.
	rateWindow  = 5 * time.Second
	sampleEvery = time.Second
	// leastWindow is the shortest time that gives a rate.
	leastWindow = 250 * time.Millisecond
)

// Hour is the last hour in steps of a minute. Each list has a number for each step, the oldest first; the last step
// is not over yet.
type Hour struct {
	Until       time.Time `json:"until"`        // the end of the last step
	StepSeconds int       `json:"step_seconds"` // 60
	Bytes       []int64   `json:"bytes"`        // read
	Results     []int64   `json:"results"`      // objects, whatever their outcome
	Failed      []int64   `json:"failed"`       // failures that are final, and mismatches
	Returned    []int64   `json:"returned"`     // deliveries that went back to the queue
	AgeSeconds  []float64 `json:"age_seconds"`  // the longest time from an event to its result; 0: there was none
}

// step is what happened in one minute.
type step struct {
	bytes, results, failed, returned int64
	age                              time.Duration
}

// history keeps the steps of the last hour. It is advanced when it is written or read, so it needs no timer.
type history struct {
	steps  [stepCount]step
	newest int64 // the number of the newest step since 1970; its place is the remainder
}

// at returns the step of a time. A clock that was set back counts into the newest step.
func (h *history) at(now time.Time) *step {
	n := now.UnixNano() / int64(stepTime)
	if n-h.newest >= stepCount {
		h.steps, h.newest = [stepCount]step{}, n
	}
	for h.newest < n {
		h.newest++
		h.steps[h.newest%stepCount] = step{}
	}
	return &h.steps[h.newest%stepCount]
}

// spread counts bytes that were read evenly between two times.
func (h *history) spread(bytes int64, from, to time.Time) {
	last := h.at(to)
	begin := to.Truncate(stepTime)
	for range stepCount - 1 {
		if bytes <= 0 || !from.Before(begin) {
			break
		}
		part := int64(float64(bytes) * float64(to.Sub(begin)) / float64(to.Sub(from)))
		last.bytes += part
		bytes -= part
		to, begin = begin, begin.Add(-stepTime)
		last = &h.steps[(begin.UnixNano()/int64(stepTime))%stepCount]
	}
	last.bytes += max(bytes, 0)
}

func (h *history) hour(now time.Time) Hour {
	h.at(now)
	hour := Hour{Until: time.Unix(0, (h.newest+1)*int64(stepTime)).UTC(), StepSeconds: int(stepTime / time.Second)}
	for i := range int64(stepCount) {
		s := h.steps[(h.newest+1+i)%stepCount]
		hour.Bytes, hour.Results = append(hour.Bytes, s.bytes), append(hour.Results, s.results)
		hour.Failed, hour.Returned = append(hour.Failed, s.failed), append(hour.Returned, s.returned)
		hour.AgeSeconds = append(hour.AgeSeconds, s.age.Round(time.Millisecond).Seconds())
	}
	return hour
}

// flow measures the bytes that are read, and the results. Its samples are the sums at some times of the last seconds.
type flow struct {
	closed  int64 // bytes of readers that were closed
	counted int64 // bytes that are in the history
	results int64
	at      time.Time
	samples [rateWindow / sampleEvery]sample // oldest first; zero: none
}

type sample struct {
	at             time.Time
	bytes, results int64
}

// measure counts what was read since the last measurement. The caller holds a.mu.
func (a *Activity) measure(now time.Time) {
	sum := a.flow.closed
	for r := range a.reads {
		sum += r.Offset() - r.From
	}
	a.history.spread(sum-a.flow.counted, a.flow.at, now)
	a.flow.counted, a.flow.at = sum, now
	if last := a.flow.samples[len(a.flow.samples)-1]; now.Sub(last.at) >= sampleEvery {
		copy(a.flow.samples[:], a.flow.samples[1:])
		a.flow.samples[len(a.flow.samples)-1] = sample{now, sum, a.flow.results}
	}
}

// rates returns bytes and results per second in the last seconds, after a measurement. If nothing measured in that
// time, that of bytes is the average since the last measurement. The caller holds a.mu.
func (a *Activity) rates() (bytes int64, results float64) {
	for i, base := range a.flow.samples {
		took := a.flow.at.Sub(base.at)
		if base.at.IsZero() || took > rateWindow && i < len(a.flow.samples)-2 {
			continue
		}
		if took < leastWindow {
			break
		}
		if len(a.reads) > 0 {
			bytes = int64(float64(a.flow.counted-base.bytes) / took.Seconds())
		}
		if took <= rateWindow {
			results = float64(a.flow.results-base.results) / took.Seconds()
		}
		break
	}
	return bytes, results
}
