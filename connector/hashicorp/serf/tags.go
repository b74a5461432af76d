package serf

import "fmt"

// ClusterTag is the tag that carries the cluster ID, so that a merge with another cluster is refused even
// where something between the nodes strips labels. A plain serf node without it is let in by its label.
const ClusterTag = "convoke_cluster"

// maxTags bounds all tags of a node, encoded, in bytes: memberlist's bound for metadata.
const maxTags = 512

// checkTags returns what is wrong with the tags that a program gives.
func checkTags(tags map[string]string, clusterID string) error {
	if _, ok := tags[ClusterTag]; ok {
		return fmt.Errorf("the tag %q is set by the connector, give yours another name", ClusterTag)
	}
	if n := encodedSize(withCluster(tags, clusterID)); n > maxTags {
		return fmt.Errorf("the tags take %d bytes with the cluster ID, at most %d are allowed", n, maxTags)
	}
	return nil
}

// withCluster returns the tags that go out: a copy with the one of the cluster ID.
func withCluster(tags map[string]string, clusterID string) map[string]string {
	all := map[string]string{ClusterTag: clusterID}
	for k, v := range tags {
		all[k] = v
	}
	return all
}

// encodedSize returns how many bytes serf's encoding takes: a mark, then a MessagePack map of raw strings.
func encodedSize(tags map[string]string) int {
	size := 1 + 1
	if len(tags) > 15 {
		size += 2
	}
	for k, v := range tags {
		size += stringSize(k) + stringSize(v)
	}
	return size
}

func stringSize(s string) int {
	if len(s) < 32 {
		return 1 + len(s)
	}
	return 3 + len(s)
}
