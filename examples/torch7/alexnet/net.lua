-- AlexNet in one column, for crops of 227 x 227.

local function features(channels)
    local net = nn.Sequential()
    net:add(nn.SpatialConvolution(channels, 64, 11, 11, 4, 4, 2, 2)):add(nn.ReLU(true))
    net:add(nn.SpatialMaxPooling(3, 3, 2, 2))
    net:add(nn.SpatialConvolution(64, 192, 5, 5, 1, 1, 2, 2)):add(nn.ReLU(true))
    net:add(nn.SpatialMaxPooling(3, 3, 2, 2))
    net:add(nn.SpatialConvolution(192, 384, 3, 3, 1, 1, 1, 1)):add(nn.ReLU(true))
    net:add(nn.SpatialConvolution(384, 256, 3, 3, 1, 1, 1, 1)):add(nn.ReLU(true))
    net:add(nn.SpatialConvolution(256, 256, 3, 3, 1, 1, 1, 1)):add(nn.ReLU(true))
    net:add(nn.SpatialMaxPooling(3, 3, 2, 2))
    return net
end

local function classifier(classes)
    local net = nn.Sequential()
    net:add(nn.View(256 * 6 * 6))
    net:add(nn.Dropout(0.5)):add(nn.Linear(256 * 6 * 6, 4096)):add(nn.Threshold(0, 1e-6))
    net:add(nn.Dropout(0.5)):add(nn.Linear(4096, 4096)):add(nn.Threshold(0, 1e-6))
    net:add(nn.Linear(4096, classes)):add(nn.LogSoftMax())
    return net
end

return function(params)
    local channels = params.inputShape and params.inputShape[1] or 3
    assert(channels == 1 or channels == 3, 'expected gray or colour images')
    local model = nn.Sequential()
    model:add(features(channels)):add(classifier(params.nclasses or 1000))
    return {
        model = model,
        loss = nn.ClassNLLCriterion(),
        croplen = 227,
        trainBatchSize = 100,
        validationBatchSize = 100,
    }
end
