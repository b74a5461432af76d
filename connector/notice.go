package connector

import "github.com/goconvoke/convoke/peer"

// NoticeKind is what happened to a node. The host publishes it as an event of the same name.
type NoticeKind string

// The kinds of notices.
const (
	NoticeNameConflict     NoticeKind = "name_conflict"     // another process has the name of this node, which is out until that is gone; Peer is that process
	NoticeNameRegained     NoticeKind = "name_regained"     // that process is gone; this node takes part again
	NoticeAddrChanged      NoticeKind = "address_changed"   // this node advertises another address; Peer is this node
	NoticeSecurityChanged  NoticeKind = "security_changed"  // other certificates or keys are in use
	NoticeSecurityFailed   NoticeKind = "security_failed"   // replaced certificates cannot be used; those before stay in use
	NoticeSecurityExpiring NoticeKind = "security_expiring" // the certificate of this node ends soon, or has ended
)

// Notice is something that happened to this node itself, and not to its peers. Fields that do not apply are zero.
type Notice struct {
	Kind NoticeKind
	Peer peer.Peer
	Err  error
}
