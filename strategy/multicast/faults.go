package multicast

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// collectFaults returns what keeps an answer from being complete. unable means that nothing can be received at all.
// A family for which the host has no interface is not a fault as long as the other has one.
func (s *sockets) collectFaults() (errs []error, unable bool) {
	unable = true
	for f := range family(families) {
		l := &s.links[f]
		if l.socket != nil && (len(l.joined) > 0 || len(s.config.Seeds) > 0) {
			unable = false
		}
		if l.err != nil && l.socket == nil && len(l.chosen) > 0 {
			errs = append(errs, l.err)
		}
		if l.socket == nil {
			continue
		}
		for _, e := range l.joinErr {
			errs = append(errs, e)
		}
		for _, e := range l.sendErr {
			errs = append(errs, e)
		}
	}
	for name := range s.lost {
		errs = append(errs, fmt.Errorf("interface %s is down; peers were heard by it", name))
	}
	errs = append(errs, missingInterfaces(s.all, s.config)...)
	if s.scanErr != nil {
		errs = append(errs, s.scanErr)
	}
	if unable && len(errs) == 0 {
		errs = append(errs, s.idleReason())
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs, unable
}

// idleReason returns why nothing can be received though nothing failed.
func (s *sockets) idleReason() error {
	for f := range s.links {
		if err := s.links[f].err; err != nil {
			return err
		}
	}
	return fmt.Errorf("no interface is up that can carry multicasts (%s); connect one or name one under interfaces",
		describeInterfaces(s.all))
}

// unsupportedError returns the error of a platform on which no family can ever be opened, else nil.
func (s *sockets) unsupportedError() error {
	var errs []error
	for f := range family(families) {
		if !s.config.usesFamily(f) {
			continue
		}
		err := s.links[f].err
		if !errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
