-- GoogLeNet with batch normalization and an auxiliary classifier, for crops of 224 x 224.

local function convolution(from, to, size, stride, padding)
    local net = nn.Sequential()
    net:add(nn.SpatialConvolution(from, to, size, size, stride, stride, padding, padding):noBias())
    net:add(nn.SpatialBatchNormalization(to, 1e-3))
    return net:add(nn.ReLU(true))
end

-- Four branches side by side. `shape` holds the numbers of maps: 1x1, 3x3 (reduced, full),
-- 5x5 (reduced, full), and behind the pooling.
local function inception(from, shape)
    local branches = nn.DepthConcat(2)
    branches:add(convolution(from, shape[1], 1, 1, 0))
    branches:add(nn.Sequential()
        :add(convolution(from, shape[2][1], 1, 1, 0))
        :add(convolution(shape[2][1], shape[2][2], 3, 1, 1)))
    branches:add(nn.Sequential()
        :add(convolution(from, shape[3][1], 1, 1, 0))
        :add(convolution(shape[3][1], shape[3][2], 5, 1, 2)))
    branches:add(nn.Sequential()
        :add(nn.SpatialMaxPooling(3, 3, 1, 1, 1, 1))
        :add(convolution(from, shape[4], 1, 1, 0)))
    return branches
end

local function auxiliary(classes)
    local net = nn.Sequential()
    net:add(nn.SpatialAveragePooling(5, 5, 3, 3))
    net:add(convolution(512, 128, 1, 1, 0))
    net:add(nn.View(128 * 4 * 4):setNumInputDims(3))
    net:add(nn.Linear(128 * 4 * 4, 1024)):add(nn.ReLU(true)):add(nn.Dropout(0.7))
    return net:add(nn.Linear(1024, classes)):add(nn.LogSoftMax())
end

return function(params)
    local channels = params.inputShape and params.inputShape[1] or 3
    local classes = params.nclasses or 1000

    local lower = nn.Sequential()
    lower:add(convolution(channels, 64, 7, 2, 3)):add(nn.SpatialMaxPooling(3, 3, 2, 2):ceil())
    lower:add(convolution(64, 64, 1, 1, 0)):add(convolution(64, 192, 3, 1, 1))
    lower:add(nn.SpatialMaxPooling(3, 3, 2, 2):ceil())
    lower:add(inception(192, {64, {96, 128}, {16, 32}, 32}))
    lower:add(inception(256, {128, {128, 192}, {32, 96}, 64}))
    lower:add(nn.SpatialMaxPooling(3, 3, 2, 2):ceil())
    lower:add(inception(480, {192, {96, 208}, {16, 48}, 64}))

    local upper = nn.Sequential()
    upper:add(inception(512, {160, {112, 224}, {24, 64}, 64}))
    upper:add(inception(512, {128, {128, 256}, {24, 64}, 64}))
    upper:add(inception(512, {112, {144, 288}, {32, 64}, 64}))
    upper:add(inception(528, {256, {160, 320}, {32, 128}, 128}))
    upper:add(nn.SpatialMaxPooling(3, 3, 2, 2):ceil())
    upper:add(inception(832, {256, {160, 320}, {32, 128}, 128}))
    upper:add(inception(832, {384, {192, 384}, {48, 128}, 128}))
    upper:add(nn.SpatialAveragePooling(7, 7, 1, 1))
    upper:add(nn.View(1024):setNumInputDims(3)):add(nn.Dropout(0.4))
    upper:add(nn.Linear(1024, classes)):add(nn.LogSoftMax())

    -- Both classifiers see the same target; the auxiliary one counts less.
    local model = nn.Sequential():add(lower)
    model:add(nn.ConcatTable():add(upper):add(auxiliary(classes)))
    local loss = nn.ParallelCriterion(true)
    loss:add(nn.ClassNLLCriterion(), 1):add(nn.ClassNLLCriterion(), 0.3)
    return { model = model, loss = loss, croplen = 224, trainBatchSize = 32 }
end
