// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Frames on their way, over the switch, which knows where everybody is. One is
 * delivered at once; what delay and jitter change is its RX stamp.
 */
#include <linux/bpf_trace.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/random.h>
#include <linux/timekeeping.h>
#include <linux/udp.h>
#include <net/page_pool/helpers.h>

#include "ptplab.h"

#define PTP_EVENT_PORT	319
#define MAX_FRAME	(LAB_MAX_MTU + VLAN_ETH_HLEN)
/* Frames that wait for a receiver, at most */
#define QUEUE_LENGTH	4096

/* What the metadata function finds around its xdp_md */
struct lab_xdp {
	struct xdp_buff xdp;	/* must come first */
	struct lab_stamp stamp;
};

/* Is this the next of @count that a fault of one in @every hits? */
static bool hits(atomic_t *count, int every)
{
	return every > 0 && (u32)atomic_inc_return(count) % every == 0;
}

/* Would a filter for PTP event messages over UDP take this frame? */
static bool is_ptp_event(const u8 *frame, unsigned int length)
{
	unsigned int at = ETH_HLEN;
	__be16 type = ((const struct ethhdr *)frame)->h_proto;
	const struct udphdr *udp;

	if (type == htons(ETH_P_8021Q) && length >= VLAN_ETH_HLEN) {
		type = ((const struct vlan_ethhdr *)frame)->
			h_vlan_encapsulated_proto;
		at = VLAN_ETH_HLEN;
	}
	if (type == htons(ETH_P_IP) && length >= at + sizeof(struct iphdr)) {
		const struct iphdr *ip = (const void *)(frame + at);

		if (ip->protocol != IPPROTO_UDP)
			return false;
		at += 4 * ip->ihl;
	} else if (type == htons(ETH_P_IPV6) &&
		   length >= at + sizeof(struct ipv6hdr)) {
		const struct ipv6hdr *ip = (const void *)(frame + at);

		if (ip->nexthdr != IPPROTO_UDP)
			return false;
		at += sizeof(*ip);
	} else {
		return false;
	}
	udp = (const void *)(frame + at);
	return length >= at + sizeof(*udp) &&
	       udp->dest == htons(PTP_EVENT_PORT);
}

/*
 * Sending
 */

static bool can_send(struct lab_device *device, unsigned int length)
{
	return netif_carrier_ok(device->net) && netif_running(device->net) &&
	       length <= MAX_FRAME;
}

/* A copy of @skb reaches @device at @arrives (raw) */
static void deliver(struct lab_device *device, struct sk_buff *skb, u64 arrives)
{
	struct lab_stamp *stamp;

	BUILD_BUG_ON(sizeof(*stamp) > sizeof(skb->cb));

	if (!netif_carrier_ok(device->net) || !netif_running(device->net) ||
	    skb_queue_len(&device->arrived) >= QUEUE_LENGTH)
		return;
	skb = skb_clone(skb, GFP_ATOMIC);
	if (!skb)
		return;
	stamp = (struct lab_stamp *)skb->cb;
	stamp->ns = lab_clock_read(device->clock, arrives);
	stamp->valid = true;
	skb_queue_tail(&device->arrived, skb);
	napi_schedule(&device->napi);
}

/* Puts @skb, which left at @sent (raw), onto the wire */
static void transmit(struct lab_device *device, struct sk_buff *skb, u64 sent)
{
	const u8 *to = ((const struct ethhdr *)skb->data)->h_dest;
	int jitter = READ_ONCE(lab_jitter_ns);
	unsigned int i;

	DEV_STATS_INC(device->net, tx_packets);
	DEV_STATS_ADD(device->net, tx_bytes, skb->len);
	if (hits(&device->frames, READ_ONCE(lab_frame_loss))) {
		dev_kfree_skb_any(skb);
		return;
	}
	sent += READ_ONCE(lab_delay_ns[device->index]);
	if (jitter > 0)
		sent += get_random_u32_below(jitter);
	for (i = 0; i < LAB_MAX_DEVICES; i++) {
		struct lab_device *other = READ_ONCE(lab_devices[i]);

		if (other && other != device &&
		    (is_multicast_ether_addr(to) ||
		     ether_addr_equal(to, other->net->dev_addr)))
			deliver(other, skb, sent);
	}
	dev_kfree_skb_any(skb);
}

netdev_tx_t lab_start_xmit(struct sk_buff *skb, struct net_device *net)
{
	struct lab_device *device = netdev_priv(net);
	u64 now = ktime_get_raw_ns();

	if (!can_send(device, skb->len) || skb_linearize(skb)) {
		DEV_STATS_INC(net, tx_dropped);
		dev_kfree_skb_any(skb);
		return NETDEV_TX_OK;
	}
	if (skb_shinfo(skb)->tx_flags & SKBTX_HW_TSTAMP &&
	    device->stamping.tx_type == HWTSTAMP_TX_ON) {
		/* one that is lost was promised like any other */
		skb_shinfo(skb)->tx_flags |= SKBTX_IN_PROGRESS;
		if (!hits(&device->tx_stamps, READ_ONCE(lab_tx_stamp_loss))) {
			u64 ns = lab_clock_read(device->clock, now);
			struct skb_shared_hwtstamps stamps = {
				.hwtstamp = ns_to_ktime(ns),
			};

			skb_tstamp_tx(skb, &stamps);
		}
	}
	skb_tx_timestamp(skb);
	skb_orphan(skb);
	transmit(device, skb, now);
	return NETDEV_TX_OK;
}

/* Sends a copy of what an XDP program wants sent */
static int send_copy(struct lab_device *device, const void *data,
		     unsigned int length)
{
	struct sk_buff *skb = NULL;

	if (can_send(device, length))
		skb = netdev_alloc_skb(device->net, length);
	if (!skb) {
		DEV_STATS_INC(device->net, tx_dropped);
		return -ENOBUFS;
	}
	skb_put_data(skb, data, length);
	transmit(device, skb, ktime_get_raw_ns());
	return 0;
}

int lab_xdp_xmit(struct net_device *net, int count, struct xdp_frame **frames,
		 u32 flags)
{
	struct lab_device *device = netdev_priv(net);
	int sent;

	if (flags & ~XDP_XMIT_FLAGS_MASK)
		return -EINVAL;
	for (sent = 0; sent < count; sent++) {
		struct xdp_frame *frame = frames[sent];

		/* the caller frees those that are not sent */
		if (xdp_frame_has_frags(frame) ||
		    send_copy(device, frame->data, frame->len))
			break;
		xdp_return_frame(frame);
	}
	return sent;
}

/*
 * Receiving
 */

static struct sk_buff *to_skb(struct lab_device *device, struct lab_xdp *frame)
{
	struct xdp_buff *xdp = &frame->xdp;
	unsigned int metadata = xdp->data - xdp->data_meta;
	struct sk_buff *skb;

	skb = napi_build_skb(xdp->data_hard_start, xdp->frame_sz);
	if (!skb)
		return NULL;
	skb_mark_for_recycle(skb);
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	skb_put(skb, xdp->data_end - xdp->data);
	if (metadata)
		skb_metadata_set(skb, metadata);
	if (frame->stamp.valid)
		skb_hwtstamps(skb)->hwtstamp = ns_to_ktime(frame->stamp.ns);
	skb->protocol = eth_type_trans(skb, device->net);
	return skb;
}

static bool is_stamped(struct lab_device *device, const struct sk_buff *skb)
{
	switch (device->stamping.rx_filter) {
	case HWTSTAMP_FILTER_NONE:
		return false;
	case HWTSTAMP_FILTER_PTP_V2_L4_EVENT:
		if (!is_ptp_event(skb->data, skb->len))
			return false;
		break;
	}
	return !hits(&device->rx_stamps, READ_ONCE(lab_rx_stamp_loss));
}

/* Runs the XDP program; true: the page is not ours any more */
static bool run_program(struct lab_device *device, struct lab_xdp *frame,
			bool *redirected)
{
	struct xdp_buff *xdp = &frame->xdp;
	struct bpf_prog *program = rcu_dereference(device->program);
	u32 verdict = program ? bpf_prog_run_xdp(program, xdp) : XDP_PASS;
	struct sk_buff *skb;

	switch (verdict) {
	case XDP_PASS:
		skb = to_skb(device, frame);
		if (!skb)
			return false;
		napi_gro_receive(&device->napi, skb);
		return true;
	case XDP_TX:
		if (send_copy(device, xdp->data, xdp->data_end - xdp->data))
			trace_xdp_exception(device->net, program, verdict);
		return false;
	case XDP_REDIRECT:
		if (!xdp_do_redirect(device->net, xdp, program)) {
			*redirected = true;
			return true;
		}
		trace_xdp_exception(device->net, program, verdict);
		return false;
	default:
		bpf_warn_invalid_xdp_action(device->net, program, verdict);
		fallthrough;
	case XDP_ABORTED:
		trace_xdp_exception(device->net, program, verdict);
		fallthrough;
	case XDP_DROP:
		return false;
	}
}

static void receive(struct lab_device *device, struct sk_buff *skb,
		    bool *redirected)
{
	struct lab_xdp frame = { .stamp = *(struct lab_stamp *)skb->cb };
	struct page *page = page_pool_dev_alloc_pages(device->pages);

	if (!page) {
		DEV_STATS_INC(device->net, rx_dropped);
		consume_skb(skb);
		return;
	}
	frame.stamp.valid = is_stamped(device, skb);
	xdp_init_buff(&frame.xdp, PAGE_SIZE, &device->rxq);
	xdp_prepare_buff(&frame.xdp, page_address(page), XDP_PACKET_HEADROOM,
			 skb->len, true);
	skb_copy_bits(skb, 0, frame.xdp.data, skb->len);
	DEV_STATS_INC(device->net, rx_packets);
	DEV_STATS_ADD(device->net, rx_bytes, skb->len);
	consume_skb(skb);

	rcu_read_lock();
	if (!run_program(device, &frame, redirected))
		page_pool_put_full_page(device->pages, page, true);
	rcu_read_unlock();
}

int lab_poll(struct napi_struct *napi, int budget)
{
	struct lab_device *device =
		container_of(napi, struct lab_device, napi);
	bool redirected = false;
	struct sk_buff *skb;
	int done;

	for (done = 0; done < budget; done++) {
		skb = skb_dequeue(&device->arrived);
		if (!skb)
			break;
		receive(device, skb, &redirected);
	}
	if (redirected)
		xdp_do_flush();
	if (done < budget && napi_complete_done(napi, done) &&
	    !skb_queue_empty(&device->arrived))
		napi_schedule(napi);
	return done;
}

static int rx_timestamp(const struct xdp_md *md, u64 *ns)
{
	const struct lab_xdp *frame = (const void *)md;

	if (!frame->stamp.valid)
		return -ENODATA;
	*ns = frame->stamp.ns;
	return 0;
}

const struct xdp_metadata_ops lab_metadata_ops = {
	.xmo_rx_timestamp = rx_timestamp,
};
