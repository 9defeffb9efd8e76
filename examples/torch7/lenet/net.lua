-- LeNet for small images, such as handwritten digits of 28 x 28.

return function(params)
    local channels, height, width = 1, 28, 28
    if params.inputShape then
        channels, height, width =
            params.inputShape[1], params.inputShape[2], params.inputShape[3]
    end
    -- two convolutions of 5 x 5, each followed by pooling of 2 x 2
    local rows = math.floor((math.floor((height - 4) / 2) - 4) / 2)
    local columns = math.floor((math.floor((width - 4) / 2) - 4) / 2)

    local convolution = nn.SpatialConvolution
    if pcall(function() require 'cudnn' end) then
        convolution = cudnn.SpatialConvolution
    end

    local lenet = nn.Sequential()
    lenet:add(nn.MulConstant(1 / 256))
    lenet:add(convolution(channels, 20, 5, 5))
    lenet:add(nn.SpatialMaxPooling(2, 2, 2, 2))
    lenet:add(convolution(20, 50, 5, 5))
    lenet:add(nn.SpatialMaxPooling(2, 2, 2, 2))
    lenet:add(nn.View(-1):setNumInputDims(3))
    lenet:add(nn.Linear(50 * rows * columns, 500))
    lenet:add(nn.ReLU())
    lenet:add(nn.Linear(500, params.nclasses or 10))
    lenet:add(nn.LogSoftMax())

    return {
        model = lenet,
        loss = nn.ClassNLLCriterion(),
        trainBatchSize = 64,
        validationBatchSize = 32,
    }
end
