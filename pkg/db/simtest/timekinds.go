package simtest

import "time"

// The clock.
var timeKinds = []kind{
	{"tick", 15, func(e *episode, a Action) {
		e.advance(a, time.Duration(1+a.draws().below(2000))*time.Millisecond)
	}},
	{"clock-jumps-ahead", 1, func(e *episode, a Action) {
		e.count.Faults["clock jumped ahead"]++
		e.advance(a, time.Duration(1+a.draws().below(48))*time.Hour)
	}},
	{"clock-jumps-back", 2, func(e *episode, a Action) {
		e.count.Faults["clock jumped back"]++
		e.advance(a, -time.Duration(1+a.draws().below(7200))*time.Second)
	}},
}

func (e *episode) advance(a Action, by time.Duration) {
	e.tell("%v: the clock goes on by %v", a, by)
	e.now.Add(int64(by))
	e.tellTime()
}
