package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/ops"
)

// term is one term of an elector, from the wait for it to the end of the command.
type term struct {
	*elector
	child  *child
	timer  *time.Timer   // when the command has to be ended next
	end    time.Time     // of the right to act, by the newest step
	margin time.Duration // before end the command gets SIGTERM, and half of it before SIGKILL
	stop   time.Time     // when the command got SIGTERM; zero: not yet
}

var errNoAnswer = errors.New("the agent has ended the election")

// follow takes the steps of a term until it is over and the command has ended. open reports whether the connection still is.
func (t *term) follow(ctx context.Context, steps <-chan ops.Term, lost <-chan error) (again bool, err error, open bool) {
	canceled := ctx.Done()
	for {
		var ended <-chan struct{}
		if t.child != nil {
			ended = t.child.ended
		}
		select {
		case s := <-steps:
			if err := t.take(s); err != nil {
				t.killChild()
				return false, failedError(err), true
			}
		case <-t.timer.C:
			t.endInTime()
		case <-ended:
			return t.outcome(), t.child.exit(), true
		case <-canceled:
			if t.child == nil {
				return false, nil, true
			}
			canceled = nil
			t.terminate()
		case err := <-lost:
			return t.afterLoss(err)
		}
	}
}

// take takes a step.
func (t *term) take(s ops.Term) (err error) {
	if (t.child == nil) != (s.Event == ops.TermBegins) {
		return fmt.Errorf("the agent sent %q out of order", s.Event)
	}
	left := min(time.Duration(s.Left), time.Until(time.Unix(0, s.At).Add(time.Duration(s.Left))))
	t.end, t.margin = time.Now().Add(left), time.Duration(s.Margin)
	switch s.Event {
	case ops.TermBegins:
		t.report(s, fmt.Sprintf("%s: leading, token %d", t.name, s.Token))
		if t.child, err = startChild(t.elector, s); err != nil {
			return err // and no child
		}
	case ops.TermEnds:
		if t.stop.IsZero() {
			t.report(s, fmt.Sprintf("%s: no longer leading: %s", t.name, onOneLine(s.Why)))
			t.terminate()
		}
	}
	t.endInTime()
	return nil
}

// terminate asks the command to end.
func (t *term) terminate() {
	if t.stop.IsZero() {
		t.stop = time.Now()
		t.child.terminate()
	}
	t.endInTime()
}

// endInTime ends the command if it is time, and sets the timer to when it will be.
func (t *term) endInTime() {
	ask, kill := t.end.Add(-t.margin), t.end.Add(-t.margin/2)
	if !t.stop.IsZero() {
		if due := t.stop.Add(t.grace); due.Before(kill) {
			kill = due
		}
		ask = kill
	}
	switch now := time.Now(); {
	case !now.Before(kill):
		t.child.kill()
	case !now.Before(ask) && t.stop.IsZero(): // no step came for too long
		t.terminate()
	default:
		t.timer.Reset(ask.Sub(now))
	}
}

// outcome reports whether another term should follow the one whose command has ended: unless it ended by itself.
func (t *term) outcome() bool { return !t.stop.IsZero() }

// afterLoss kills the command, as another one may lead at any moment now. An end without an error is that of the term.
func (t *term) afterLoss(err error) (again bool, _ error, open bool) {
	running := t.killChild()
	if err == nil {
		again, err = running, failedError(errNoAnswer)
	}
	return again, err, false
}

// killChild kills the command and waits for its end. It reports whether there is one.
func (t *term) killChild() bool {
	if t.child == nil {
		return false
	}
	t.child.kill()
	<-t.child.ended
	return true
}
