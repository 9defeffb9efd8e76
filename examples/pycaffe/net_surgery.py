"""Turn a classifier of small images into one that reads large ones place by place.

The inner products of a trained net become convolutions with the same numbers. The new net takes
images of any size and gives a map of digits.

    python net_surgery.py deploy.prototxt full_conv.prototxt WEIGHTS full_conv.caffemodel
"""

import sys

import numpy as np

import protonet.pycaffe as caffe


def main(deploy, full_conv, weights, out):
    """Do it, and compare both nets on one image."""
    net = caffe.Net(deploy, weights, caffe.TEST)
    wide = caffe.Net(full_conv, weights, caffe.TEST)
    for old, new in (("ip1", "ip1-conv"), ("ip2", "ip2-conv")):
        print(f"{old}: {net.params[old][0].data.shape} -> {new}: {wide.params[new][0].data.shape}")
        wide.params[new][0].data.flat = net.params[old][0].data.flat
        wide.params[new][1].data[...] = net.params[old][1].data
    wide.save(out)

    # Both say the same of a small image.
    image = np.random.RandomState(0).uniform(-0.5, 1.5, (1, 1, 8, 8))
    net.blobs["data"].data[...] = image
    wide.blobs["data"].data[...] = image
    difference = np.abs(net.forward()["prob"].ravel() - wide.forward()["prob"].ravel()).max()
    print(f"greatest difference on a small image: {difference:.1e}")

    # A large one, with the small one in its corner.
    large = np.zeros((1, 1, 24, 32))
    large[:, :, :8, :8] = image
    wide.blobs["data"].reshape(*large.shape)
    wide.blobs["data"].data[...] = large
    digits = wide.forward()["prob"][0].argmax(axis=0)
    print(f"map of digits of a 24x32 image: {digits.shape[0]}x{digits.shape[1]}")
    return difference, digits


if __name__ == "__main__":
    main(*sys.argv[1:5])
