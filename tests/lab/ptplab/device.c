// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The network devices: how they are controlled, how they come and go. */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/module.h>
#include <net/page_pool/helpers.h>

#include "ptplab.h"

/* How long the link is gone after a reset */
#define RESET_TIME	msecs_to_jiffies(1500)

static int open(struct net_device *net)
{
	struct lab_device *device = netdev_priv(net);

	skb_queue_purge(&device->arrived);
	napi_enable(&device->napi);
	netif_start_queue(net);
	netif_carrier_on(net);
	return 0;
}

static int stop(struct net_device *net)
{
	struct lab_device *device = netdev_priv(net);

	cancel_delayed_work_sync(&device->reset);
	netif_carrier_off(net);
	netif_stop_queue(net);
	napi_disable(&device->napi);
	skb_queue_purge(&device->arrived);
	return 0;
}

static void reset_ends(struct work_struct *work)
{
	netif_carrier_on(container_of(work, struct lab_device, reset.work)->net);
}

static int bpf(struct net_device *net, struct netdev_bpf *command)
{
	struct lab_device *device = netdev_priv(net);
	struct bpf_prog *old;

	if (command->command != XDP_SETUP_PROG)
		return -EINVAL;
	old = rtnl_dereference(device->program);
	rcu_assign_pointer(device->program, command->prog);
	if (old)
		bpf_prog_put(old);
	if (READ_ONCE(lab_reset_on_attach) && !old != !command->prog &&
	    netif_running(net)) {
		netif_carrier_off(net);
		lab_clock_reset(device->clock);
		schedule_delayed_work(&device->reset, RESET_TIME);
	}
	return 0;
}

static int hwtstamp_get(struct net_device *net,
			struct kernel_hwtstamp_config *config)
{
	struct lab_device *device = netdev_priv(net);

	*config = device->stamping;
	return 0;
}

static int hwtstamp_set(struct net_device *net,
			struct kernel_hwtstamp_config *config,
			struct netlink_ext_ack *extack)
{
	struct lab_device *device = netdev_priv(net);

	if (config->tx_type != HWTSTAMP_TX_OFF &&
	    config->tx_type != HWTSTAMP_TX_ON)
		return -ERANGE;
	switch (config->rx_filter) {
	case HWTSTAMP_FILTER_NONE:
	case HWTSTAMP_FILTER_PTP_V2_L4_EVENT:
		break;
	default:
		config->rx_filter = HWTSTAMP_FILTER_ALL;
	}
	device->stamping = *config;
	return 0;
}

static const struct net_device_ops device_ops = {
	.ndo_open = open,
	.ndo_stop = stop,
	.ndo_start_xmit = lab_start_xmit,
	.ndo_bpf = bpf,
	.ndo_xdp_xmit = lab_xdp_xmit,
	.ndo_hwtstamp_get = hwtstamp_get,
	.ndo_hwtstamp_set = hwtstamp_set,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static int get_ts_info(struct net_device *net,
		       struct kernel_ethtool_ts_info *info)
{
	struct lab_device *device = netdev_priv(net);
	struct ptp_clock *ptp = READ_ONCE(device->clock->ptp);

	info->so_timestamping =
		SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE |
		SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE |
		SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	info->phc_index = ptp ? ptp_clock_index(ptp) : -1;
	info->tx_types = BIT(HWTSTAMP_TX_OFF) | BIT(HWTSTAMP_TX_ON);
	info->rx_filters = BIT(HWTSTAMP_FILTER_NONE) |
			   BIT(HWTSTAMP_FILTER_ALL) |
			   BIT(HWTSTAMP_FILTER_PTP_V2_L4_EVENT);
	return 0;
}

static void get_drvinfo(struct net_device *net, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
}

static const struct ethtool_ops ethtool_ops = {
	.get_drvinfo = get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_ts_info = get_ts_info,
};

/*
 * Coming and going
 */

static void set_up(struct net_device *net, unsigned int index)
{
	const u8 address[ETH_ALEN] = { 0x02, 'p', 't', 'p', 0, index };

	snprintf(net->name, IFNAMSIZ, "lab%u", index);
	eth_hw_addr_set(net, address);
	net->netdev_ops = &device_ops;
	net->ethtool_ops = &ethtool_ops;
	if (lab_metadata)
		net->xdp_metadata_ops = &lab_metadata_ops;
	net->xdp_features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT |
			    NETDEV_XDP_ACT_NDO_XMIT;
	net->max_mtu = LAB_MAX_MTU;
	/* frames are queued as they were sent */
	net->priv_flags &= ~IFF_TX_SKB_SHARING;
	netif_carrier_off(net);
}

/*
 * One that nobody knows yet, with @clock or else one of its own;
 * lab_device_destroy() undoes it
 */
struct lab_device *lab_device_create(unsigned int index,
				     struct lab_clock *clock)
{
	const struct page_pool_params pages = {
		.pool_size = 256,
		.nid = NUMA_NO_NODE,
	};
	struct net_device *net = alloc_etherdev(sizeof(struct lab_device));
	struct lab_device *device;
	int error;

	if (!net)
		return ERR_PTR(-ENOMEM);
	device = netdev_priv(net);
	device->net = net;
	device->index = index;
	device->clock = clock ?: &device->own_clock;
	set_up(net, index);
	skb_queue_head_init(&device->arrived);
	INIT_DELAYED_WORK(&device->reset, reset_ends);
	netif_napi_add(net, &device->napi, lab_poll);

	device->pages = page_pool_create(&pages);
	if (IS_ERR(device->pages)) {
		error = PTR_ERR(device->pages);
		device->pages = NULL;
		goto fail;
	}
	error = xdp_rxq_info_reg(&device->rxq, net, 0, 0);
	if (!error)
		error = xdp_rxq_info_reg_mem_model(&device->rxq,
						   MEM_TYPE_PAGE_POOL,
						   device->pages);
	if (!error && !clock)
		error = lab_clock_register(device->clock, index);
	if (!error)
		return device;
fail:
	lab_device_destroy(device);
	return ERR_PTR(error);
}

int lab_device_register(struct lab_device *device)
{
	return register_netdev(device->net);
}

void lab_device_unregister(struct lab_device *device)
{
	if (device->net->reg_state == NETREG_REGISTERED)
		unregister_netdev(device->net);
}

void lab_device_destroy(struct lab_device *device)
{
	lab_clock_unregister(&device->own_clock);
	skb_queue_purge(&device->arrived);
	if (xdp_rxq_info_is_reg(&device->rxq))
		xdp_rxq_info_unreg(&device->rxq);
	page_pool_destroy(device->pages);
	free_netdev(device->net);
}
